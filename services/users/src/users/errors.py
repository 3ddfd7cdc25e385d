"""What the users service refuses.

UsersError
├── UserNotFound
└── EmailTaken
"""


class UsersError(Exception):
    retriable = False


class UserNotFound(UsersError):
    pass


class EmailTaken(UsersError):
    pass
