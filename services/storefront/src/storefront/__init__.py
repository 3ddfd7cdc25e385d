"""Storefront: the web shop. Asks the other services and puts what they know on one page."""
