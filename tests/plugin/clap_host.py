"""A CLAP host of a few lines: it loads a plugin, asks what it has, lets it process, and saves and loads its state."""

import ctypes as c

import numpy as np

VERSION = c.c_uint32 * 3
FLOATS = c.POINTER(c.c_float)


def structure(kind, /, **fields):
    """Return a type of C with these fields."""
    return type(kind, (c.Structure,), {"_fields_": list(fields.items())})


def called(result, *arguments):
    """Return the type of a function whose first argument is the object that it belongs to."""
    return c.CFUNCTYPE(result, c.c_void_p, *arguments)


Entry = structure(
    "Entry",
    version=VERSION,
    init=c.CFUNCTYPE(c.c_bool, c.c_char_p),
    deinit=c.CFUNCTYPE(None),
    get_factory=c.CFUNCTYPE(c.c_void_p, c.c_char_p),
)
Factory = structure(
    "Factory",
    count=called(c.c_uint32),
    descriptor=called(c.c_void_p, c.c_uint32),
    create=called(c.c_void_p, c.c_void_p, c.c_char_p),
)
Descriptor = structure("Descriptor", version=VERSION, id=c.c_char_p, name=c.c_char_p, vendor=c.c_char_p)
Host = structure(
    "Host",
    version=VERSION,
    data=c.c_void_p,
    name=c.c_char_p,
    vendor=c.c_char_p,
    url=c.c_char_p,
    own_version=c.c_char_p,
    get_extension=called(c.c_void_p, c.c_char_p),
    request_restart=called(None),
    request_process=called(None),
    request_callback=called(None),
)
Plugin = structure(
    "Plugin",
    descriptor=c.c_void_p,
    data=c.c_void_p,
    init=called(c.c_bool),
    destroy=called(None),
    activate=called(c.c_bool, c.c_double, c.c_uint32, c.c_uint32),
    deactivate=called(None),
    start_processing=called(c.c_bool),
    stop_processing=called(None),
    reset=called(None),
    process=called(c.c_int32, c.c_void_p),
    get_extension=called(c.c_void_p, c.c_char_p),
    on_main_thread=called(None),
)
AudioBuffer = structure(
    "AudioBuffer",
    data32=c.POINTER(FLOATS),
    data64=c.c_void_p,
    n_channels=c.c_uint32,
    latency=c.c_uint32,
    constant_mask=c.c_uint64,
)
Process = structure(
    "Process",
    steady_time=c.c_int64,
    n_samples=c.c_uint32,
    transport=c.c_void_p,
    inputs=c.POINTER(AudioBuffer),
    outputs=c.POINTER(AudioBuffer),
    n_inputs=c.c_uint32,
    n_outputs=c.c_uint32,
    in_events=c.c_void_p,
    out_events=c.c_void_p,
)
Event = structure(
    "Event",
    size=c.c_uint32,
    time=c.c_uint32,
    space=c.c_uint16,
    type=c.c_uint16,
    flags=c.c_uint32,
    parameter=c.c_uint32,
    cookie=c.c_void_p,
    note=c.c_int32,
    port=c.c_int16,
    channel=c.c_int16,
    key=c.c_int16,
    value=c.c_double,
)
EVENT_OF_PARAMETER = 5
Events = structure("Events", context=c.c_void_p, size=called(c.c_uint32), get=called(c.c_void_p, c.c_uint32))
Ports = structure("Ports", count=called(c.c_uint32, c.c_bool), get=called(c.c_bool, c.c_uint32, c.c_bool, c.c_void_p))
Port = structure(
    "Port",
    id=c.c_uint32,
    name=c.c_char * 256,
    flags=c.c_uint32,
    n_channels=c.c_uint32,
    type=c.c_char_p,
    in_place_pair=c.c_uint32,
)
Parameters = structure(
    "Parameters",
    count=called(c.c_uint32),
    get=called(c.c_bool, c.c_uint32, c.c_void_p),
    value=called(c.c_bool, c.c_uint32, c.POINTER(c.c_double)),
    to_text=called(c.c_bool, c.c_uint32, c.c_double, c.c_char_p, c.c_uint32),
    from_text=called(c.c_bool, c.c_uint32, c.c_char_p, c.POINTER(c.c_double)),
)
Parameter = structure(
    "Parameter",
    id=c.c_uint32,
    flags=c.c_uint32,
    cookie=c.c_void_p,
    name=c.c_char * 256,
    module=c.c_char * 1024,
    least=c.c_double,
    most=c.c_double,
    usual=c.c_double,
)
Latency = structure("Latency", get=called(c.c_uint32))
HostLatency = structure("HostLatency", changed=called(None))
State = structure("State", save=called(c.c_bool, c.c_void_p), load=called(c.c_bool, c.c_void_p))
Stream = structure("Stream", context=c.c_void_p, move=called(c.c_int64, c.c_void_p, c.c_uint64))


class ClapPlugin:
    """An instance of the plugin in a .clap file."""

    def __init__(self, path):
        self.entry = Entry.in_dll(c.CDLL(str(path)), "clap_entry")
        assert self.entry.init(str(path).encode())
        self.factory = self.entry.get_factory(b"clap.plugin-factory")
        factory = Factory.from_address(self.factory)
        assert factory.count(self.factory) == 1
        self.descriptor = Descriptor.from_address(factory.descriptor(self.factory, 0))
        self.asked = []  # what the plugin has requested of its host, or told it
        requests = [
            called(None)(lambda _, name=name: self.asked.append(name)) for name in ("restart", "process", "call")
        ]
        words = [b"tests", b"", b"", b""]
        self.host_latency = HostLatency(called(None)(lambda _: self.asked.append("latency")))
        extensions = {b"clap.latency": c.addressof(self.host_latency)}
        get_extension = called(c.c_void_p, c.c_char_p)(lambda _, name: extensions.get(name))
        self.host = Host(VERSION(1, 1, 6), None, *words, get_extension, *requests)
        self.address = factory.create(self.factory, c.addressof(self.host), self.descriptor.id)
        self.plugin = Plugin.from_address(self.address)
        assert self.plugin.init(self.address)

    def extension(self, name, kind):
        """Return the functions of an extension."""
        return kind.from_address(self.plugin.get_extension(self.address, name))

    def ports(self, *, is_input):
        """Return the ports of one side."""
        functions = self.extension(b"clap.audio-ports", Ports)
        ports = [Port() for _ in range(functions.count(self.address, is_input))]
        assert all(functions.get(self.address, i, is_input, c.addressof(port)) for i, port in enumerate(ports))
        return ports

    def parameters(self):
        """Return what is said of each parameter."""
        functions = self.extension(b"clap.params", Parameters)
        found = [Parameter() for _ in range(functions.count(self.address))]
        assert all(functions.get(self.address, i, c.addressof(parameter)) for i, parameter in enumerate(found))
        return found

    def value(self, name):
        """Return the value of a parameter."""
        value = c.c_double()
        assert self.extension(b"clap.params", Parameters).value(self.address, self.id_of(name), c.byref(value))
        return value.value

    def value_of(self, name, text):
        """Return the value of a parameter that a text stands for."""
        value = c.c_double()
        functions = self.extension(b"clap.params", Parameters)
        assert functions.from_text(self.address, self.id_of(name), text.encode(), c.byref(value))
        return value.value

    def id_of(self, name):
        """Return the id of a parameter."""
        return next(parameter.id for parameter in self.parameters() if parameter.name.decode() == name)

    def latency(self):
        """Return the latency, in samples."""
        return self.extension(b"clap.latency", Latency).get(self.address)

    def activate(self, sample_rate, most=8192):
        """Make it ready to process."""
        assert self.plugin.activate(self.address, sample_rate, 1, most)
        assert self.plugin.start_processing(self.address)

    def deactivate(self):
        """End the processing."""
        self.plugin.stop_processing(self.address)
        self.plugin.deactivate(self.address)

    def process(self, x, changes=None, y=None):
        """Return all outputs, shape (18, n_samples), of a block, shape (2, n_samples), with changes of parameters.

        They go where `y` has its rows, or, without it, into memory of their own.
        `n_allocations` is then how often that allocated or freed memory, where `count_allocations.c` is preloaded.
        """
        x = np.ascontiguousarray(x, np.float32)
        y = np.full((18, x.shape[1]), np.nan, np.float32) if y is None else y
        inputs, outputs = ([buffer(array[i : i + 2]) for i in range(0, len(array), 2)] for array in (x, y))
        changes = {self.id_of(name): value for name, value in (changes or {}).items()}
        events = [
            Event(c.sizeof(Event), 0, 0, EVENT_OF_PARAMETER, 0, index, None, -1, -1, -1, -1, value)
            for index, value in changes.items()
        ]
        kinds = dict(Events._fields_)
        size, get = kinds["size"](lambda _: len(events)), kinds["get"](lambda _, i: c.addressof(events[i]))
        given = Events(None, size, get)
        block = Process(-1, x.shape[1], None, (AudioBuffer * 1)(*inputs), (AudioBuffer * 9)(*outputs), 1, 9)
        block.in_events = c.addressof(given)
        if hasattr(c.CDLL(None), "counted"):
            function = c.cast(self.plugin.process, c.c_void_p)
            self.n_allocations = c.CDLL(None).counted(function, c.c_void_p(self.address), c.byref(block))
        else:
            assert self.plugin.process(self.address, c.addressof(block)) == 1
        return y

    def save(self, at_most=100_000):
        """Return its state, of which the host takes so many bytes at a time."""
        taken = bytearray()

        def write(_, data, size):
            taken.extend(c.string_at(data, min(size, at_most)))
            return min(size, at_most)

        stream = Stream(None, dict(Stream._fields_)["move"](write))
        assert self.extension(b"clap.state", State).save(self.address, c.addressof(stream))
        return bytes(taken)

    def load(self, state):
        """Load a state; return whether the plugin took it."""
        left = bytearray(state)

        def read(_, data, size):
            piece = bytes(left[:size])
            c.memmove(data, piece, len(piece))
            del left[:size]
            return len(piece)

        stream = Stream(None, dict(Stream._fields_)["move"](read))
        return self.extension(b"clap.state", State).load(self.address, c.addressof(stream))

    def close(self):
        """Destroy the instance."""
        self.plugin.destroy(self.address)


def buffer(channels):
    """Return the buffer of a port, which points to the channels of an array."""
    pointers = (FLOATS * len(channels))(*(channel.ctypes.data_as(FLOATS) for channel in channels))
    return AudioBuffer(pointers, None, len(channels), 0, 0)
