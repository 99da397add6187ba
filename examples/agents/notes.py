#!/usr/bin/env python3
"""An agent that keeps notes in its working directory. Needs only Python 3.

    add TEXT    list    forget TEXT    forget everything (it asks first)
"""
import json
import os
import sys

FILE = "notes.txt"  # the working directory is the session's: snapshots keep it


def say(kind, **fields):
    print(json.dumps({"type": kind, **fields}), flush=True)


def load():
    if not os.path.exists(FILE):
        return []
    with open(FILE, encoding="utf-8") as f:
        return f.read().splitlines()


def store(notes):
    with open(FILE + ".new", "w", encoding="utf-8") as f:
        f.writelines(note + "\n" for note in notes)
    os.replace(FILE + ".new", FILE)  # all or nothing, also when we are killed
    say("done", result={"notes": notes})


def work(text):
    """Does one task. True: a question is open."""
    word, _, rest = text.strip().partition(" ")
    rest, notes = " ".join(rest.split()), load()
    if word == "add" and rest:
        store(notes + [rest])
    elif word == "list":
        say("done", result={"notes": notes})
    elif word == "forget" and rest == "everything":
        say("question", text=f"Forget all {len(notes)} notes? (yes/no)")
        return True
    elif word == "forget" and rest in notes:
        store([note for note in notes if note != rest])
    else:
        say("error", text="I can: add TEXT, list, forget TEXT, forget everything.")
    return False


asking = False
for line in sys.stdin:
    request = json.loads(line)
    if request["type"] == "message" and not asking:
        asking = work(request["text"])
    elif request["type"] == "answer" and asking:
        asking = False
        store([] if request["text"].strip().lower() in ("yes", "y") else load())
    elif request["type"] == "cancel" and asking:
        asking = False
        say("cancelled")
