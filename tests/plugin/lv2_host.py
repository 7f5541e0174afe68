"""An LV2 host of a few lines: it looks at the latency before anything sounds, and sets the file of the dictionary."""

import ctypes as c
import struct

import numpy as np

ATOM, PATCH = "http://lv2plug.in/ns/ext/atom#", "http://lv2plug.in/ns/ext/patch#"
BUFFER, OPTIONS = "http://lv2plug.in/ns/ext/buf-size#", "http://lv2plug.in/ns/ext/options#options"
URID, WORKER = "http://lv2plug.in/ns/ext/urid#map", "http://lv2plug.in/ns/ext/worker#"
EVENTS_IN, EVENTS_OUT, LATENCY, CONTROLS = 20, 21, 22, 23  # behind the audio ports
CAPACITY = 4096

Map = c.CFUNCTYPE(c.c_uint32, c.c_void_p, c.c_char_p)
Schedule = c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_uint32, c.c_void_p)


class Feature(c.Structure):
    """What a host offers."""

    _fields_ = [("uri", c.c_char_p), ("data", c.c_void_p)]


class Functions(c.Structure):
    """A handle, and a function that is given it."""

    _fields_ = [("handle", c.c_void_p), ("function", c.c_void_p)]


class Option(c.Structure):
    """A value that a host tells a plugin."""

    _fields_ = [(name, c.c_uint32) for name in ("context", "subject", "key", "size", "type")] + [("value", c.c_void_p)]


class Descriptor(c.Structure):
    """The functions of a plugin."""

    _fields_ = [
        ("uri", c.c_char_p),
        ("instantiate", c.CFUNCTYPE(c.c_void_p, c.c_void_p, c.c_double, c.c_char_p, c.c_void_p)),
        ("connect_port", c.CFUNCTYPE(None, c.c_void_p, c.c_uint32, c.c_void_p)),
        ("activate", c.CFUNCTYPE(None, c.c_void_p)),
        ("run", c.CFUNCTYPE(None, c.c_void_p, c.c_uint32)),
        ("deactivate", c.CFUNCTYPE(None, c.c_void_p)),
        ("cleanup", c.CFUNCTYPE(None, c.c_void_p)),
        ("extension_data", c.CFUNCTYPE(c.c_void_p, c.c_char_p)),
    ]


class Worker(c.Structure):
    """The function that does what the plugin has scheduled."""

    _fields_ = [("work", c.CFUNCTYPE(c.c_int, c.c_void_p, c.c_void_p, c.c_void_p, c.c_uint32, c.c_void_p))]


class Lv2Plugin:
    """An instance of the plugin in an .lv2 folder, whose controls are at their defaults."""

    def __init__(self, bundle, sample_rate, defaults, *, has_events=True):
        library = c.CDLL(str(bundle / "rtnmf.so"))
        library.lv2_descriptor.restype = c.c_void_p
        self.functions = Descriptor.from_address(library.lv2_descriptor(0))
        self.urids, self.work = {}, []
        self.kept = [Map(self._mapped), Schedule(self._scheduled), c.c_int(512)]
        services = [Functions(None, c.cast(function, c.c_void_p)) for function in self.kept[:2]]
        options = (Option * 2)()
        length = self._mapped(None, (BUFFER + "nominalBlockLength").encode())
        options[0] = Option(0, 0, length, 4, self._urid("Int"), c.addressof(self.kept[2]))
        given = {URID: services[0], WORKER + "schedule": services[1], OPTIONS: options}
        features = [Feature(uri.encode(), c.addressof(data)) for uri, data in given.items()]
        pointers = (c.c_void_p * 4)(*map(c.addressof, features))
        self.kept += [services, options, features, pointers]
        folder = f"{bundle}/".encode()
        self.handle = self.functions.instantiate(c.addressof(self.functions), sample_rate, folder, pointers)
        assert self.handle
        self.latency = c.c_float(-1)
        self.controls = (c.c_float * len(defaults))(*defaults)
        self.events = [c.create_string_buffer(CAPACITY) for _ in range(2)]
        self._connect(LATENCY, self.latency)
        for i in range(len(defaults)):
            self._connect(CONTROLS + i, c.c_float.from_buffer(self.controls, 4 * i))
        if has_events:
            self._connect(EVENTS_IN, self.events[0])
            self._connect(EVENTS_OUT, self.events[1])

    def _connect(self, port, data):
        self.functions.connect_port(self.handle, port, c.addressof(data))

    def _mapped(self, _, uri):
        return self.urids.setdefault(uri, len(self.urids) + 1)

    def _urid(self, name, prefix=ATOM):
        return self._mapped(None, (prefix + name).encode())

    def _scheduled(self, _, size, data):
        self.work.append(c.string_at(data, size))
        return 0

    def activate(self):
        """Make it ready to run."""
        self.functions.activate(self.handle)

    def process(self, x, events=b""):
        """Return all outputs, shape (18, n_samples), of a block, shape (2, n_samples); one row leaves an input out."""
        x, y = np.ascontiguousarray(x, np.float32), np.full((18, x.shape[1]), np.nan, np.float32)
        for port, channel in enumerate([*x, *y], start=2 - len(x)):
            self.functions.connect_port(self.handle, port, channel.ctypes.data)
        head = struct.pack("<4I", 8 + len(events), self._urid("Sequence"), 0, 0)
        self.events[0][: len(head + events)] = head + events
        self.events[1][:8] = struct.pack("<2I", CAPACITY - 8, self._urid("Chunk"))
        self.functions.run(self.handle, x.shape[1])
        return y

    def event_of_file(self, path):
        """Return the event that sets the file of the dictionary."""
        value = str(path).encode() + b"\0"
        value = struct.pack("<2I", len(value), self._urid("Path")) + value.ljust(-(-len(value) // 8) * 8, b"\0")
        name = struct.pack("<3I4x", 4, self._urid("URID"), self._mapped(None, b"urn:rtnmf:plugin#file"))
        body = struct.pack("<2I", 0, self._urid("Set", PATCH))
        body += struct.pack("<2I", self._urid("property", PATCH), 0) + name
        body += struct.pack("<2I", self._urid("value", PATCH), 0) + value
        return struct.pack("<q2I", 0, len(body), self._urid("Object")) + body

    def do_work(self):
        """Do what the plugin has scheduled, as a thread of the host would."""
        worker = Worker.from_address(self.functions.extension_data((WORKER + "interface").encode()))
        for data in self.work:
            worker.work(self.handle, None, None, len(data), data)
        self.work.clear()

    def close(self):
        """Destroy the instance."""
        self.functions.deactivate(self.handle)
        self.functions.cleanup(self.handle)
