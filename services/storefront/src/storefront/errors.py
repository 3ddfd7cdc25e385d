"""What the storefront refuses, and what it was refused.

StorefrontError
├── ItemNotFound
├── OrderNotFound
├── NotSignedIn     there is no session, or it has ended
├── SignInFailed    what came back from signing in is not what was asked for
├── FormRefused     the form was not made by this session's pages
├── Refused         a back end said no; ``status`` and the text are its own
└── Late            a part was not there in time (retriable)
"""


class StorefrontError(Exception):
    retriable = False


class ItemNotFound(StorefrontError):
    pass


class OrderNotFound(StorefrontError):
    pass


class NotSignedIn(StorefrontError):
    pass


class SignInFailed(StorefrontError):
    pass


class FormRefused(StorefrontError):
    pass


class Refused(StorefrontError):
    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Late(StorefrontError):
    retriable = True
