"""The client's side of SCRAM by scramp, one message per line: its first message out, the server's in, its last out, the server's in, `verified` out.

Usage: scram_client.py MECHANISM USER PASSWORD
"""

import sys

from scramp import ScramClient

mechanism, user, password = sys.argv[1:4]


def say(text):
    print(text, flush=True)


def hear():
    return sys.stdin.readline().rstrip("\n")


client = ScramClient([mechanism], user, password)
say(client.get_client_first())
client.set_server_first(hear())
say(client.get_client_final())
# Raises when the server does not know the user's keys.
client.set_server_final(hear())
say("verified")
