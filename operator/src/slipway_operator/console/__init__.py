"""The console: what runs, what is being released, and where events are, on one page that is live.

``model`` (what is shown, as data) and ``spans`` (one order's way) are pure; ``board`` looks while somebody watches;
``access`` says who may do what; ``server`` answers browsers. Where facts come from, a ``Place`` brings: this package
knows no runtime.
"""
