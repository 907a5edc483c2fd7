#!/usr/bin/env python3
"""Records what programs write to a terminal of 80x24, for the tests beside it. See README.md."""

import fcntl, os, pty, select, struct, subprocess, sys, termios, time

HOME = "/srv"
TARGET = os.path.abspath(sys.argv[1])
ANSWERS = {  # What the emulator answers; CPR is left out, as it depends on where the cursor is.
    b"\x1b[c": b"\x1b[?62;22;52c",
    b"\x1b[>c": b"\x1b[>0;2600;1c",
}
# In a process namespace of its own.
ALONE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]
# Name, command, and what is typed: each once the program has been quiet for a while.
PROGRAMS = [
    ("bash", ["bash", "--norc", "--noprofile", "-i"],
     [b"echo one two thre\x1b[D\x1b[D\x08\x08x\x1bb\x0b", b"caf\xc3\xa9\r", b"printf '\\033[1;31mred\\033[0m %s\\n' text\r",
      b"\x12prin", b"\x07", b"ls no-such-file\r", b"cat <<. | tr a-z A-Z\rshort\r.\r", b"echo " + b"0123456789" * 9]),
    ("ls", ["ls", "--color=always", "-lAF", "--time-style=+"], []),
    ("vim", ["vim", "-u", "NONE", "-c", "set nocp nu cursorline hlsearch laststatus=2 mouse=a | syntax on", "life.c"],
     [b"/int\r", b"4Goint wide = L'\xe6\xbc\xa2';\x1b", b":split\r", b"\x17jG", b"ddu", b"v3k", b"\x1b:set list\r", b"ix"]),
    ("less", ["less", "-N", "long.txt"], [b" ", b"/line 3\r", b"n", b"\x1bOB", b"g"]),
    ("top", ALONE + ["sleep 1000 & nice sleep 2000 & exec top -d 60"], [b"c"]),
    ("htop", ALONE + ["sleep 1000 & nice sleep 2000 & exec htop -d 100"], [b"\x1bOB\x1bOB"]),
    ("tmux", ["tmux", "-f", "/dev/null", "new-session", "bash --norc --noprofile -i"],
     [b"ls\r", b"\x02%", b"echo right\r", b"\x02\"", b"seq 30\r", b"\x02;"]),
    ("mc", ["mc", "-d"], [b"\t", b"\x1bOB\x1bOB", b"\x1bOR\x1bOB", b"q", b"\x1b[20~"]),
    ("nano", ["nano", "long.txt"], [b"\x0b\x15", b"\x17line 1\r", b"typed \xc3\xbcber"]),
    ("dialog", ["dialog", "--title", "Choose", "--checklist", "What to install:", "15", "50", "5",
                "one", "The first", "on", "two", "The second", "off", "three", "The third", "off"],
     [b"\x1bOB \t"]),
    ("dialog-c", ["env", "LC_ALL=C", "NCURSES_NO_UTF8_ACS=0", "dialog", "--yesno", "Drawn with the line drawing of DEC?",
                  "7", "45"], [b"\t"]),
]


def quiet(master, seen, patience=0.7):
    """Reads until nothing has come for a while; false at the end."""
    while select.select([master], [], [], patience)[0]:
        try:
            more = os.read(master, 65536)
        except OSError:
            return False
        if not more:
            return False
        seen += more
        for question, answer in ANSWERS.items():
            if question in more:
                os.write(master, answer)
    return True


def record(name, command, keys):
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(HOME)
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "HOME": HOME, "LC_ALL": "C.UTF-8",
                       "PS1": "guest$ ", "SHELL": "/bin/sh"}
        os.execvpe(command[0], command, environment)
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    seen = bytearray()
    alive = quiet(master, seen)
    for key in keys:
        if alive:
            os.write(master, key)
            alive = quiet(master, seen)
    with open(os.path.join(TARGET, name + ".ansi"), "wb") as file:
        file.write(seen)
    os.kill(pid, 9)
    os.close(master)
    os.waitpid(pid, 0)


def home():
    """A home that is the same everywhere."""
    subprocess.run(["mount", "-t", "tmpfs", "guest", HOME], check=True)
    os.chdir(HOME)
    with open("life.c", "w") as file:
        file.write('#include <stdio.h>\n\n/* Says hello. */\nint main(int argc, char **argv)\n{\n')
        file.write('\tfor (int i = 0; i < argc; i++)\n\t\tprintf("%s: %d\\n", argv[i], i);\n\treturn 0;\n}\n')
    with open("long.txt", "w") as file:
        file.writelines(f"This is line {n} of a text.\n" for n in range(1, 200))
    for folder in ["bin", "src", ".config"]:
        os.mkdir(folder)
    open("run", "w").close()
    os.chmod("run", 0o755)
    os.symlink("life.c", "link")
    os.symlink("nowhere", "broken")
    os.mkfifo("pipe")


home()
for name, command, keys in PROGRAMS:
    if len(sys.argv) < 3 or name in sys.argv[2:]:
        record(name, command, keys)
