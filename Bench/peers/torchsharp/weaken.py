"""Marks the need for newer versions of the C++ runtime in shared libraries as weak, so that the loader only warns; see run.sh."""
import struct
import sys

NEWER = ("GLIBCXX_3.4.31", "GLIBCXX_3.4.32", "GLIBCXX_3.4.33")
NEEDED_VERSIONS = 0x6FFFFFFE  # SHT_GNU_verneed
WEAK = 2  # VER_FLG_WEAK


def read(file, at, length):
    file.seek(at)
    return bytearray(file.read(length))


def weaken(path):
    with open(path, "r+b") as file:
        header = read(file, 0, 64)
        (table,) = struct.unpack_from("<Q", header, 0x28)
        size, count = struct.unpack_from("<HH", header, 0x3A)
        sections = [struct.unpack_from("<IIQQQQIIQQ", read(file, table + i * size, size)) for i in range(count)]
        for section in (s for s in sections if s[1] == NEEDED_VERSIONS):
            needs, names = read(file, section[4], section[5]), sections[section[6]]
            strings = read(file, names[4], names[5])
            library = 0
            while True:
                _, versions, _, first, following = struct.unpack_from("<HHIII", needs, library)
                entry = library + first
                for _ in range(versions):
                    _, flags, _, name, step = struct.unpack_from("<IHHII", needs, entry)
                    if strings[name:strings.index(0, name)].decode() in NEWER:
                        struct.pack_into("<H", needs, entry + 4, flags | WEAK)
                    entry += step
                if not following:
                    break
                library += following
            file.seek(section[4])
            file.write(needs)


for library_path in sys.argv[1:]:
    weaken(library_path)
