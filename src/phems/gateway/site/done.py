"""What the frame says of an act that was done: the words, by what the address names."""

from __future__ import annotations

from collections.abc import Mapping

DONE: Mapping[str, str] = {
    "audit.verify": "The whole log was read and verified.",
    "code.approve": "You approved the code revision.",
    "code.reject": "You rejected the code revision.",
    "code.revoke": "You revoked the code revision. Later runs of it are refused.",
    "code.submit": "The code revision was submitted.",
    "capsule.approve": "You approved the run capsule.",
    "capsule.reject": "You rejected the run capsule.",
    "capsule.revoke": "You revoked the run capsule's approval.",
    "policy.approve": "You confirmed the policy version. It is in force.",
    "policy.reject": "You rejected the policy version.",
    "release.comment": "Your comment was added.",
    "release.request": "You asked for the release. Two checkers will look at it.",
    "release.resubmit": "You asked again. The checkers start a new turn.",
    "release.return": "The request went back to its author.",
    "release.approve": "The request is approved. It is being published.",
    "release.reject": "The request is rejected.",
    "release.revoke": "The release is revoked.",
    "release.submit": "The request was submitted.",
    "release.vote": "Your vote was recorded.",
    "release.withdraw": "You withdrew the request.",
    "release.withdraw-file": "You took the file out of the request.",
    "run.launch": "The run was launched.",
    "run.cancel": "The run is being cancelled.",
    "coordinator.revoke": "Every token of the coordinator was ended.",
    "session.close_all": "Every session was ended.",
    "user.add": "The user was added.",
    "user.disable": "The user is disabled, and signed out.",
    "user.enable": "The user can sign in again.",
    "user.key-new": "The new key was made. Earlier ones sign no more.",
    "user.key-revoke": "The key was revoked. Nothing that it signed counts any more.",
    "user.reset_second_factor": "The second factor is taken away. They can set up another.",
    "user.set_password": "The password was set.",
    "user.set_email": "The address was set.",
    "user.issue_token": "The token was made.",
    "user.revoke_token": "The token was revoked.",
    "session.close": "The session was ended.",
}
