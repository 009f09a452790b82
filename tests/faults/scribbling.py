"""A program that does whatever the seed says to files below its folder: ``scribbling.SCRIPT``."""

SCRIPT = """
import os, random, sys, threading

def opened(draw, names, files):
    how = draw.choice([0, 0, os.O_APPEND, os.O_TRUNC])
    files.append(os.open(draw.choice(names), os.O_RDWR | os.O_CREAT | how))

def doubled(draw, names, files):
    files.append(os.dup(draw.choice(files)))

def closed(draw, names, files):
    os.close(files.pop(draw.randrange(len(files))))

def written(draw, names, files):
    text = bytes([draw.randrange(256)]) * draw.randrange(1, draw.choice([20, 9000]))
    os.write(draw.choice(files), text)

DOES = [
    opened, opened, opened, doubled, closed, written, written, written, written, written,
    lambda draw, names, files: os.pwrite(draw.choice(files), b"p" * 40, draw.randrange(5000)),
    lambda draw, names, files: os.writev(draw.choice(files), [b"v" * draw.randrange(9)] * 3),
    lambda draw, names, files: os.lseek(draw.choice(files), draw.randrange(99), draw.randrange(2)),
    lambda draw, names, files: os.read(draw.choice(files), 7),
    lambda draw, names, files: os.fsync(draw.choice(files)),
    lambda draw, names, files: os.ftruncate(draw.choice(files), draw.randrange(6000)),
    lambda draw, names, files: os.rename(draw.choice(names), draw.choice(names)),
    lambda draw, names, files: os.link(draw.choice(names), draw.choice(names)),
    lambda draw, names, files: os.unlink(draw.choice(names)),
]

def scribble(seed, shared):
    draw, files = random.Random(seed), []
    names = ["a", "b", "d/c", "d/e/f", "d/g"]
    if not shared:
        names = [f"{name}-{seed}" for name in names]
    for _ in range(STEPS):
        try:
            draw.choice(DOES)(draw, names, files)
        except (OSError, IndexError, ValueError):
            pass

os.makedirs("d/e")
if CHILDREN:
    for child in range(CHILDREN):
        if os.fork() == 0:
            seeds = [SEED * 100 + child * 10 + thread for thread in range(3)]
            threads = [threading.Thread(target=scribble, args=(seed, False)) for seed in seeds]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            os._exit(0)
    for child in range(CHILDREN):
        os.wait()
else:
    scribble(SEED, True)
"""


def script(seed: int, *, steps: int, children: int) -> str:
    """The program; children have three threads each, which share descriptors but no names."""
    return f"SEED, STEPS, CHILDREN = {seed}, {steps}, {children}\n{SCRIPT}"
