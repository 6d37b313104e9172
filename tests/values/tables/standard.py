"""The standard library, and what is made of plain Python."""

# ruff: noqa: E501  # a case is read as one line

from tests.values.table import Case, Change, Refused, Table

TABLE = Table(
    setup="""
import array, asyncio, collections, concurrent.futures, contextlib, contextvars, ctypes, dataclasses, datetime, decimal
import enum, fractions, functools, graphlib, heapq, inspect, io, ipaddress, itertools, logging, math, mmap, multiprocessing
import operator, os, pathlib, queue, random, re, secrets, select, shelve, signal, socket, sqlite3, statistics, string
import struct, subprocess, sys, tempfile, threading, time, tracemalloc, types, typing, urllib.parse, uuid, weakref
import xml.etree.ElementTree, zipfile, zlib, zoneinfo
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple

@dataclasses.dataclass(order=True)
class Point:
    x: int
    y: list = dataclasses.field(default_factory=list)

@dataclasses.dataclass(frozen=True, slots=True)
class Fixed:
    n: int

class Colour(enum.Enum):
    RED = 1
    BLUE = "b"

class Rights(enum.Flag):
    READ = 1
    WRITE = 2

Pair = namedtuple("Pair", "left right")

class Named(typing.NamedTuple):
    name: str
    size: int = 3

class Node:
    def __init__(self, name):
        self.name, self.links, self.parent = name, [], None
    def link(self, other):
        self.links.append(other)
        other.parent = self
        return self
    def names(self):
        return [self.name, *(n for o in self.links for n in o.names())]

class Slotted:
    __slots__ = ("a", "b")
    def __init__(self):
        self.a = [1]

@collections.abc.Sequence.register
class Registered:
    def __len__(self):
        return 3

class Lazy:
    def __init__(self):
        self.asked = 0
    @functools.cached_property
    def answer(self):
        return 42
    @property
    def double(self):
        return self.answer * 2
    @classmethod
    def make(cls):
        return cls()
    @staticmethod
    def three():
        return 3
    def method(self, n=1):
        return self.asked + n

class Words(dict):
    extra = None
    def __missing__(self, key):
        return key.upper()

class Numbers(list):
    pass

class Failed(Exception):
    def __init__(self, code, what):
        super().__init__(f"{what}: {code}")
        self.code = code
    def __reduce__(self):
        return type(self), (self.code, "again")

class Typed(typing.Generic[typing.TypeVar("T")]):
    pass

class Ordered:
    def __init__(self, k):
        self.k = k
    def __eq__(self, other):
        return self.k == other.k
    def __hash__(self):
        return hash(self.k)

@functools.lru_cache
def square(n):
    return n * n

def counter():
    total = [0]
    def step(n=1):
        total[0] += n
        return total[0]
    return step

def numbers():
    yield from range(3)

async def later():
    return 1

def deep(levels):
    found = []
    for _ in range(levels):
        found = [found]
    return found

def depth(nest):
    levels = 0
    while nest:
        levels, nest = levels + 1, nest[0]
    return levels

def ring():
    found = [1]
    found.append(found)
    return found

def looped():
    found = {}
    found["self"] = found
    node = Node("n")
    node.link(node)
    found["node"] = node
    return found

def raised():
    try:
        raise KeyError("k")
    except KeyError as error:
        kept = error
    return kept

def graph():
    a, b, c = Node("a"), Node("b"), Node("c")
    a.link(b); b.link(c)
    return a

def advanced(iterator, steps):
    for _ in range(steps):
        next(iterator)
    return iterator

def dead():
    target = Node("gone")
    found = weakref.ref(target)
    return found
""",
    cases=[
        Case(
            "small and large integers",
            "[0, -1, 2**64, -(10**40), 1 << 5000]",
            "v == [0, -1, 2**64, -(10**40), 1 << 5000] and type(v[0]) is int",
        ),
        Case(
            "floats that are special",
            "[math.nan, -0.0, math.inf, 5e-324]",
            "math.isnan(v[0]) and math.copysign(1, v[1]) == -1 and v[2] == math.inf and v[3] > 0",
        ),
        Case("complex", "complex(-0.0, math.inf)", "math.copysign(1, v.real) == -1 and v.imag == math.inf"),
        Case(
            "texts that are no UTF-8",
            "['\\ud800', 'a\\x00b', '\\U0001F600', 'e\\u0301']",
            "v == ['\\ud800', 'a\\x00b', '\\U0001F600', 'e\\u0301']",
        ),
        Case("bytes", "[b'', bytes(range(256))]", "v[1][255] == 255"),
        Case("a bytearray", "bytearray(b'abc')", "v == b'abc' and type(v) is bytearray"),
        Case(
            "singletons",
            "[None, ..., NotImplemented, True, type(None), type(...)]",
            "v[1] is ... and v[2] is NotImplemented and v[4] is type(None)",
        ),
        Case("ranges and slices", "[range(1, 10, 3), slice(1, None, 2)]", "list(v[0]) == [1, 4, 7] and v[1].step == 2"),
        Case("a list that holds itself", "ring()", "v[1] is v and v[0] == 1"),
        Case(
            "what holds itself in more ways",
            "looped()",
            "v['self'] is v and v['node'].parent is v['node'] and v['node'].links[0] is v['node']",
        ),
        Case("a deep nest", "deep(400)", "depth(v) == 400"),
        Case("a set of sets", "{frozenset({1, 2}), frozenset()}", "frozenset({2, 1}) in v"),
        Case("keys of the notebook's own hash", "{Ordered(1): 'a', Ordered('k'): 'b'}", "v[Ordered('k')] == 'b'"),
        Case("keys that are objects", "(lambda o: {o: 1, 'o': o})(Fixed(3))", "v[v['o']] == 1"),
        Case("the order of keys", "{'z': 1, 'a': 2, 3: None, (1, 2): []}", "list(v) == ['z', 'a', 3, (1, 2)]"),
        Case(
            "a tuple by name", "[Pair(1, 2), Named('n')]", "v[0].left == 1 and v[1].size == 3 and type(v[1]) is Named"
        ),
        Case("a data class", "Point(1, [2])", "v == Point(1, [2]) and type(v) is Point"),
        Case(
            "a data class with slots",
            "[Fixed(3), Slotted()]",
            "v[0] == Fixed(3) and v[1].a == [1] and not hasattr(v[1], 'b')",
        ),
        Case(
            "members of an enumeration",
            "[Colour.RED, Colour('b'), Rights.READ | Rights.WRITE, signal.SIGTERM]",
            "v[0] is Colour.RED and v[2] == Rights(3) and v[3] is signal.SIGTERM",
        ),
        Case(
            "classes in a container",
            "{'k': Point, 'b': [int, collections.deque, Colour]}",
            "v['k'] is Point and v['b'][1] is collections.deque",
        ),
        Case(
            "modules in a container",
            "{'m': math, 'p': [os.path, urllib.parse]}",
            "v['m'] is math and v['p'][0] is os.path",
        ),
        Case(
            "functions in a container",
            "{'f': square, 'g': depth, 'b': len, 'o': operator.add}",
            "v['f'] is square and v['g'] is depth and v['b'] is len",
        ),
        Case(
            "lambdas in a container",
            "{'inc': lambda n: n + 1, 'deep': [lambda: math.pi]}",
            "v['inc'](1) == 2 and v['deep'][0]() == math.pi",
        ),
        Case("a lambda that reads a function of the notebook", "{'f': lambda n: square(n) + 1}", "v['f'](3) == 10"),
        Case("a function with its own memory", "counter()", "callable(v) and v.__closure__ is not None"),
        Case(
            "methods",
            "[graph().names, Lazy.make, Lazy.three, Lazy.method, [].append, 'a-b'.split, str.upper]",
            "v[0]() == ['a', 'b', 'c'] and type(v[1]()) is Lazy and v[2]() == 3 and v[5]('-') == ['a', 'b'] and v[6]('x') == 'X'",
        ),
        Case(
            "getters",
            "[operator.itemgetter(1), operator.attrgetter('x'), operator.methodcaller('upper')]",
            "v[0]('ab') == 'b' and v[1](Point(4)) == 4 and v[2]('a') == 'A'",
        ),
        Case("a property", "{'p': Lazy.double}", "isinstance(v['p'], property)"),
        Case(
            "partials",
            "[functools.partial(int, base=2), functools.partial(depth, [[]]), functools.partialmethod(int)]",
            "v[0]('101') == 5 and v[1]() == 1",
        ),
        Case("a cached function of the notebook", "[square]", "v[0] is square and v[0](4) == 16"),
        Case("what was computed once", "Lazy()", "v.asked == 0 and type(v) is Lazy"),
        Case("what is computed when it is read", "Lazy()", "v.double == 84"),
        Case(
            "a class with parameters",
            "[Typed[int], list[int], int | None, typing.Optional[Point], typing.Callable[[int], str]]",
            "v[1] == list[int] and v[2] == int | None and v[3] == typing.Optional[Point]",
        ),
        Case("a signature", "inspect.signature(depth)", "list(v.parameters) == ['nest']"),
        Case(
            "decimals and fractions",
            "[decimal.Decimal('1.10'), decimal.Decimal('sNaN'), fractions.Fraction(1, 3)]",
            "str(v[0]) == '1.10' and v[2] * 3 == 1",
        ),
        Case(
            "moments",
            "[datetime.datetime(2024, 3, 31, 2, tzinfo=zoneinfo.ZoneInfo('Europe/Rome'), fold=1), datetime.date.max, datetime.timedelta(days=-1), datetime.timezone.utc]",
            "v[0].fold == 1 and v[0].tzinfo is zoneinfo.ZoneInfo('Europe/Rome') and v[3] is datetime.timezone.utc",
        ),
        Case(
            "names of things",
            "[pathlib.Path('/a/b.c'), uuid.UUID(int=5), ipaddress.ip_network('10.0.0.0/8'), urllib.parse.urlsplit('http://a/b')]",
            "v[0].suffix == '.c' and v[1].int == 5 and v[2].num_addresses == 2**24 and v[3].path == '/b'",
        ),
        Case(
            "patterns",
            "[re.compile(r'(?P<w>a+)', re.I), re.compile(rb'x')]",
            "v[0].match('AA')['w'] == 'AA' and v[1].match(b'x')",
        ),
        Case(
            "collections",
            "[deque([1, 2], 3), Counter('abca'), ChainMap({'a': 1}, {'b': 2}), OrderedDict(z=1, a=2), UserDict(a=1)]",
            "v[0].maxlen == 3 and v[1]['a'] == 2 and v[2]['b'] == 2 and list(v[3]) == ['z', 'a'] and v[4]['a'] == 1",
        ),
        Case(
            "a dictionary with a default",
            "[defaultdict(list, a=[1]), defaultdict(lambda: 7, a=1)]",
            "v[0]['a'] == [1] and v[1].get('b') is None and v[1].default_factory() == 7",
        ),
        Case(
            "nested defaults",
            "(lambda d: (d['a']['b'].append(1), d)[1])(defaultdict(lambda: defaultdict(list)))",
            "v['a']['b'] == [1] and v.default_factory().default_factory is list",
        ),
        Case(
            "subclasses of containers",
            "[Words(a=1), Numbers([1, 2])]",
            "v[0]['a'] == 1 and v[0]['zz'] == 'ZZ' and type(v[1]) is Numbers",
        ),
        Case(
            "namespaces",
            "[types.SimpleNamespace(a=[1]), types.MappingProxyType({'k': 1})]",
            "v[0].a == [1] and v[1]['k'] == 1",
        ),
        Case(
            "iterators",
            "[advanced(iter([1, 2, 3]), 1), itertools.count(5), itertools.cycle('ab'), zip([1], [2]), map(str, [7]), enumerate('x'), reversed([1, 2])]",
            "len(v) == 7 and operator.length_hint(v[0]) == 2",
        ),
        Case(
            "more iterators",
            "[itertools.chain([1], [2]), itertools.product('ab', repeat=2), itertools.permutations([1, 2]), filter(None, [0, 1]), iter({'k': 1}), iter(range(3)), iter('ab')]",
            "len(v) == 7",
        ),
        Case(
            "arrays of numbers",
            "[array.array('d', [1.5, 2]), array.array('B', b'ab')]",
            "v[0][1] == 2 and v[1].tobytes() == b'ab'",
        ),
        Case(
            "arrays of C",
            "[(ctypes.c_int * 3)(1, 2, 3), ctypes.c_double(1.5)]",
            "list(v[0]) == [1, 2, 3] and v[1].value == 1.5",
        ),
        Case(
            "files in memory",
            "[io.BytesIO(b'abc'), io.StringIO('def')]",
            "v[0].getvalue() == b'abc' and v[1].getvalue() == 'def'",
        ),
        Case(
            "loggers",
            "[logging.getLogger('a.b'), logging.getLogger()]",
            "v[0] is logging.getLogger('a.b') and v[1] is logging.root",
        ),
        Case("random", "random.Random(3)", "random.Random().getstate()[0] == v.getstate()[0]"),
        Case("a system's random", "random.SystemRandom()", "0 <= v.random() < 1"),
        Case(
            "exceptions",
            "[ValueError('a', 1), raised(), Failed(3, 'what'), OSError(2, 'no', 'file')]",
            "v[0].args == ('a', 1) and v[1].args == ('k',) and v[2].code == 3 and v[3].filename == 'file' and type(v[2]) is Failed",
        ),
        Case(
            "an exception with a cause and notes",
            "(lambda e: (setattr(e, '__cause__', KeyError('c')), e.add_note('n'), e)[2])(ValueError('v'))",
            "v.__notes__ == ['n']",
        ),
        Case("a group of exceptions", "ExceptionGroup('g', [ValueError(1), KeyError('k')])", "len(v.exceptions) == 2"),
        Case("a graph", "graph()", "v.names() == ['a', 'b', 'c'] and v.links[0].parent is v"),
        Case(
            "a sorter of graphs", "(lambda g: (g.add('b', 'a'), g)[1])(graphlib.TopologicalSorter())", "v is not None"
        ),
        Case("a registered class", "Registered()", "isinstance(v, collections.abc.Sequence) and len(v) == 3"),
        Case("XML", "xml.etree.ElementTree.fromstring('<a><b k=\"1\"/></a>')", "v[0].get('k') == '1'"),
        Case("a template", "string.Template('$a')", "v.substitute(a=1) == '1'"),
        Case("a way to pack", "struct.Struct('<if')", "v.size == 8"),
        Case("a result of a process", "subprocess.run(['true'], check=True)", "v.returncode == 0"),
        Case("a time", "[time.gmtime(0), os.stat_result(range(10))]", "v[0].tm_year == 1970 and v[1].st_size == 6"),
        Case("a distribution", "statistics.NormalDist(1, 2)", "v.mean == 1"),
        Case("a name space of arguments", "__import__('argparse').Namespace(a=1)", "v.a == 1"),
        Case(
            "types of the interpreter",
            "[types.FunctionType, type(numbers()), type(len)]",
            "v[0] is types.FunctionType and v[1] is types.GeneratorType",
        ),
        Case("what the process prints to", "[sys.stdout, sys.stderr]", "v[0] is sys.stdout and v[1] is sys.stderr"),
        Case("a queue of priorities", "(lambda h: (heapq.heapify(h), h)[1])([(2, 'b'), (1, 'a')])", "v[0] == (1, 'a')"),
        Case(
            "one object in three places",
            "(lambda o: {'a': o, 'b': [o], 'c': {'o': o}})(Point(1))",
            "v['a'] is v['b'][0] is v['c']['o']",
        ),
        Case("a context that does nothing", "contextlib.nullcontext(3)", "v.enter_result == 3"),
        Case(
            "views of memory",
            "(lambda b: [b, memoryview(b), memoryview(b'xy'), memoryview(array.array('d', [1, 2]))])(bytearray(b'abc'))",
            "v[1].obj is v[0] and v[2].readonly and v[3].format == 'd' and v[3][1] == 2",
        ),
        Case(
            "views of a mapping",
            "[{'k': 1}.keys(), {'k': 2}.values(), {'k': 3}.items()]",
            "list(v[0]) == ['k'] and list(v[2]) == [('k', 3)]",
        ),
        Case("a weak set of what else is held", "(lambda p: [p, weakref.WeakSet([p])])(Node('n'))", "v[0] in v[1]"),
        Case("a class made by a call", "types.new_class('Made', (), {})", "v.__name__ == 'Made'"),
    ],
    refused=[
        Refused("a cache of what is no function of the notebook", "functools.cache(len)", "_lru_cache_wrapper"),
        Refused("a lock", "threading.Lock()", "v is a lock"),
        Refused(
            "a lock in an object",
            "types.SimpleNamespace(deep=[{'guard': threading.RLock()}])",
            "v.deep[0]['guard'] is a lock",
        ),
        Refused("a thread", "threading.Thread(target=print)", "v"),
        Refused("an event", "threading.Event()", "lock"),
        Refused("a condition", "threading.Condition()", "lock"),
        Refused("what is local to a thread", "threading.local()", "v is data of one thread"),
        Refused("a queue", "queue.Queue()", "lock"),
        Refused("a simple queue", "queue.SimpleQueue()", "SimpleQueue"),
        Refused("an executor", "concurrent.futures.ThreadPoolExecutor(1)", "v"),
        Refused("a future", "concurrent.futures.Future()", "lock"),
        Refused("a generator", "numbers()", "v is a generator"),
        Refused("a generator in a list", "[1, (n for n in range(3))]", "v[1] is a generator"),
        Refused("a coroutine", "later()", "v is a coroutine", after="v.close()"),
        Refused("an iterator over a generator", "map(str, numbers())", "a generator"),
        Refused("an open file", "open('f.txt', 'w')", "v is an open file", after="v.close()"),
        Refused(
            "a file open for reading",
            "open('f.txt')",
            "v is an open file",
            before="open('f.txt', 'w').close()",
            after="v.close()",
        ),
        Refused("a temporary file", "tempfile.NamedTemporaryFile()", "an open file", after="v.close()"),
        Refused("a compressed file", "__import__('gzip').open('f.gz', 'wb')", "an open file", after="v.close()"),
        Refused("an archive", "zipfile.ZipFile(io.BytesIO(), 'w')", "lock", after="v.close()"),
        Refused("a socket", "socket.socket()", "v is a socket", after="v.close()"),
        Refused("a database", "sqlite3.connect(':memory:')", "v is a connection to a database", after="v.close()"),
        Refused(
            "a cursor",
            "sqlite3.connect(':memory:').cursor()",
            "v is a cursor of a database",
            after="v.connection.close()",
        ),
        Refused("a process", "subprocess.Popen(['true'])", "v is a running process", after="v.wait()"),
        Refused("a process of multiprocessing", "multiprocessing.Process(target=print)", "v"),
        Refused("a part of memory that is viewed", "memoryview(b'abc')[1:]", "v is a view of memory"),
        Refused("mapped memory", "mmap.mmap(-1, 10)", "v is mapped memory", after="v.close()"),
        Refused("a pointer of C", "ctypes.pointer(ctypes.c_int(3))", "pointer"),
        Refused("a function of C", "ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 1)", "v"),
        Refused("a library of C", "ctypes.CDLL(None)", "v"),
        Refused("a weak reference", "dead()", "v is a weak reference"),
        Refused("a weak dictionary", "weakref.WeakValueDictionary()", "weak reference"),
        Refused("a context variable", "contextvars.ContextVar('c')", "v is a context variable"),
        Refused("a context", "contextvars.copy_context()", "v is a context (_c"),
        Refused("a frame", "inspect.currentframe()", "v is a frame"),
        Refused("a traceback", "(lambda e: e.__traceback__)(raised())", "v is a traceback"),
        Refused("an event loop", "asyncio.new_event_loop()", "v", after="v.close()"),
        Refused("a selector", "__import__('selectors').DefaultSelector()", "v", after="v.close()"),
        Refused("a handler of logs", "logging.StreamHandler()", "lock"),
        Refused("a nest that is too deep", "deep(100_000)", "nested too deeply"),
        Refused("a context manager that is open", "contextlib.contextmanager(numbers)()", "a generator"),
        Refused("a tuple with a lock", "(1, {'k': (threading.Lock(),)})", "v[1]['k'][0] is a lock"),
        Refused("a partial with a lock", "functools.partial(print, threading.Lock())", "a lock"),
        Refused("a default with a lock", "[lambda x=threading.Lock(): x]", "a lock"),
        Refused("a closure with a lock", "(lambda guard: lambda: guard)(threading.Lock())", "a lock"),
        Refused("a deque with a lock", "deque([threading.Lock()])", "v[0] is a lock"),
        Refused("a data class with a lock", "Point(1, [threading.Lock()])", "v.y[0] is a lock"),
        Refused(
            "slots with a lock", "(lambda s: (setattr(s, 'b', threading.Lock()), s)[1])(Slotted())", "v.b is a lock"
        ),
        Refused(
            "an exception with a lock",
            "(lambda e: (setattr(e, 'guard', threading.Lock()), e)[1])(ValueError('v'))",
            "v.guard is a lock",
        ),
        Refused(
            "a method of an object with a lock",
            "(lambda n: (setattr(n, 'guard', threading.Lock()), n.names)[1])(Node('n'))",
            "guard is a lock",
        ),
        Refused(
            "a key with a lock",
            "{Ordered(1): 1, (lambda o: (setattr(o, 'guard', threading.Lock()), o)[1])(Ordered(2)): 2}",
            "guard is a lock",
        ),
        Refused(
            "a subclass of dict with a lock",
            "(lambda w: (setattr(w, 'guard', threading.Lock()), w)[1])(Words(a=1))",
            "v.guard is a lock",
        ),
        Refused("a default dictionary with a lock", "defaultdict(list, k=threading.Lock())", "v['k'] is a lock"),
        Refused("a proxy with a lock", "types.MappingProxyType({'k': threading.Lock()})", "v['k'] is a lock"),
        Refused("a chain with a lock", "ChainMap({'k': threading.Lock()})", "a lock"),
    ],
    changes=[
        Change("a list", "[1]", "v.append(2)", "v == [1, 2]"),
        Change("a list in a tuple", "([1], 2)", "v[0].append(2)", "v == ([1, 2], 2)"),
        Change("a dictionary", "{'a': 1}", "v['b'] = 2", "v == {'a': 1, 'b': 2}"),
        Change("the order of keys", "OrderedDict(a=1, b=2)", "v.move_to_end('a')", "list(v) == ['b', 'a']"),
        Change("a set", "{1}", "v.add(2)", "v == {1, 2}"),
        Change("a deque", "deque([1, 2, 3])", "v.rotate(1)", "list(v) == [3, 1, 2]"),
        Change("a counter", "Counter('a')", "v.update('ab')", "v == {'a': 2, 'b': 1}"),
        Change("a default that was asked for", "defaultdict(list)", "v['k']", "dict(v) == {'k': []}"),
        Change("a bytearray", "bytearray(b'abc')", "v[0] = 122", "v == b'zbc'"),
        Change("a bytearray through a view", "bytearray(b'abc')", "memoryview(v)[1:] = b'yz'", "v == b'ayz'"),
        Change("memory through its view", "memoryview(bytearray(b'abc'))", "v[0] = 122", "bytes(v) == b'zbc'"),
        Change("an array", "array.array('d', [1])", "v.append(2)", "list(v) == [1, 2]"),
        Change("an array of C", "(ctypes.c_int * 2)()", "v[1] = 5", "list(v) == [0, 5]"),
        Change("an attribute", "Point(1)", "v.x = 5", "v.x == 5"),
        Change("an attribute of an attribute", "graph()", "v.links[0].name = 'z'", "v.names() == ['a', 'z', 'c']"),
        Change("a slot", "Slotted()", "v.b = 2", "v.b == 2"),
        Change("a namespace", "types.SimpleNamespace()", "v.a = 1", "v.a == 1"),
        Change("an iterator", "iter([1, 2, 3])", "next(v)", "operator.length_hint(v) == 2"),
        Change("a count", "itertools.count()", "next(v)", "repr(v) == 'count(1)'"),
        Change("a file in memory", "io.BytesIO(b'abc')", "v.seek(0, 2), v.write(b'd')", "v.getvalue() == b'abcd'"),
        Change("a place in a file in memory", "io.StringIO('abc')", "v.read(1)", "v.tell() == 1"),
        Change("a random generator", "random.Random(3)", "v.random()", "v.getstate() != random.Random(3).getstate()"),
        Change("a function with its own memory", "counter()", "v(5)", "v.__closure__[0].cell_contents == [5]"),
        Change("an object by its method", "Lazy()", "v.asked += 3", "v.method() == 4"),
        Change("XML", "xml.etree.ElementTree.fromstring('<a/>')", "v.set('k', '1')", "v.get('k') == '1'"),
        Change("an exception", "ValueError('v')", "v.add_note('n')", "v.__notes__ == ['n']"),
        Change("the class of an object", "Node('n')", "v.__class__ = Lazy", "type(v) is Lazy"),
        Change("a subclass of a container", "Words(a=1)", "v.extra = [1]", "v.extra == [1] and v['a'] == 1"),
        Change(
            "a list in a list, by two ways", "(lambda s: [s, s])([])", "v[0].append(1)", "v[1] == [1] and v[0] is v[1]"
        ),
        Change("what was the same is not any more", "(lambda s: [s, s])([1])", "v[1] = [1]", "v[0] is not v[1]"),
    ],
)
