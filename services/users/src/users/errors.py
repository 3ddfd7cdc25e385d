"""What the users service refuses.

UsersError
├── UserNotFound
├── EmailTaken
└── OrderNotListed      an event came before the one it follows
"""


class UsersError(Exception):
    retriable = False


class UserNotFound(UsersError):
    pass


class EmailTaken(UsersError):
    pass


class OrderNotListed(UsersError):
    pass
