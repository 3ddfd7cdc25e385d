"""What the users service refuses.

UsersError
├── UserNotFound
├── EmailTaken
├── NotYours            what was asked for belongs to somebody else
├── WrongPassword       or an unknown email: which of them is not told
├── WeakPassword        a new one that would be guessed first
├── OrderNotListed      an event came before the one it follows
├── NoSigningKey        tokens can't be signed yet
└── UnknownKey          no signing key has this id
"""


class UsersError(Exception):
    retriable = False


class UserNotFound(UsersError):
    pass


class EmailTaken(UsersError):
    pass


class NotYours(UsersError):
    pass


class WrongPassword(UsersError):
    pass


class WeakPassword(UsersError):
    pass


class OrderNotListed(UsersError):
    pass


class NoSigningKey(UsersError):
    retriable = True


class UnknownKey(UsersError):
    pass
