"""numpy and scipy."""

# a case is read as one line

from tests.values.table import Case, Change, Refused, Table

TABLE = Table(
    setup="""
import mmap
import tempfile
import numpy as np
import scipy.sparse as sp
from numpy.lib.stride_tricks import sliding_window_view
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

def frozen(array):
    array.setflags(write=False)
    return array

def mapped():
    file = tempfile.NamedTemporaryFile()
    array = np.memmap(file, dtype="f8", mode="w+", shape=(4, 2))
    array[:] = 3
    return array

class Tagged(np.ndarray):
    pass
""",
    cases=[
        Case("a vector", "np.arange(6.0)", "v.dtype == float and v.tolist() == [0, 1, 2, 3, 4, 5]"),
        Case("a view", "np.arange(10)[2:5]", "v.tolist() == [2, 3, 4]"),
        Case("a strided view", "np.arange(100)[::7]", "v[-1] == 98 and v.shape == (15,)"),
        Case("a reversed view", "np.arange(5)[::-1]", "v.tolist() == [4, 3, 2, 1, 0]"),
        Case("a transposed matrix", "np.arange(6).reshape(2, 3).T", "v.shape == (3, 2) and v[2].tolist() == [2, 5]"),
        Case(
            "Fortran order",
            "np.asfortranarray(np.arange(6).reshape(2, 3))",
            "v.flags.f_contiguous and v[1].tolist() == [3, 4, 5]",
        ),
        Case("a column", "np.arange(6).reshape(2, 3)[:, 1]", "v.tolist() == [1, 4]"),
        Case("no dimension", "np.array(2.5)", "v.shape == () and v[()] == 2.5"),
        Case("no element", "np.empty((0, 3), dtype='f4')", "v.shape == (0, 3) and v.dtype == 'f4'"),
        Case("a scalar", "np.float32(1.5)", "v == 1.5 and v.dtype == 'f4'"),
        Case("big endian", "np.arange(3, dtype='>i4')", "v.dtype.str == '>i4' and v.sum() == 3"),
        Case("booleans", "np.array([True, False])", "v.tolist() == [True, False]"),
        Case("complex", "np.array([1 + 2j])", "v[0].imag == 2"),
        Case(
            "half and long", "[np.ones(2, 'f2'), np.ones(2, np.longdouble)]", "v[0].dtype == 'f2' and v[1].sum() == 2"
        ),
        Case(
            "not a number", "np.array([np.nan, np.inf, -0.0])", "np.isnan(v[0]) and np.isinf(v[1]) and np.signbit(v[2])"
        ),
        Case(
            "structured",
            "np.array([(1, 'ab')], dtype=[('n', 'i8'), ('s', 'U4')])",
            "v['s'][0] == 'ab' and v.dtype.names == ('n', 's')",
        ),
        Case(
            "nested structured",
            "np.zeros(2, dtype=[('p', [('x', 'f4'), ('y', 'f4')]), ('t', 'i2', (2,))])",
            "v['p']['y'].tolist() == [0, 0]",
        ),
        Case(
            "aligned structured",
            "np.zeros(2, dtype=np.dtype([('a', 'i1'), ('b', 'f8')], align=True))",
            "v.dtype.isalignedstruct",
        ),
        Case(
            "records",
            "np.rec.array([(1, 2.0)], dtype=[('a', int), ('b', float)])",
            "v.a[0] == 1 and type(v) is np.recarray",
        ),
        Case("objects", "np.array([[1], 'two', None], dtype=object)", "v[0] == [1] and v[2] is None"),
        Case("the same object twice", "(lambda a: np.array([a, a, None], dtype=object))([1])", "v[0] is v[1]"),
        Case("texts", "np.array(['a', 'bcd'])", "v.dtype == 'U3' and v[1] == 'bcd'"),
        Case("texts of any length", "np.array(['a', 'b' * 90], dtype=np.dtypes.StringDType())", "v[1] == 'b' * 90"),
        Case("bytes", "np.array([b'a', b'bc'])", "v.tolist() == [b'a', b'bc']"),
        Case("days", "np.array(['2020-02-29', 'NaT'], dtype='M8[D]')", "str(v[0]) == '2020-02-29' and np.isnat(v[1])"),
        Case("durations", "np.array([3], dtype='m8[ms]')", "v[0] == np.timedelta64(3, 'ms')"),
        Case("masked", "np.ma.array([1, 2, 3], mask=[0, 1, 0], fill_value=9)", "v.sum() == 4 and v.fill_value == 9"),
        Case("masked, without a mask", "np.ma.array([1.0, 2.0])", "v.mask is np.ma.nomask or not v.mask.any()"),
        Case("the masked constant", "np.ma.masked", "v is np.ma.masked"),
        Case("a matrix", "np.matrix([[1, 2], [3, 4]])", "(v * v)[0, 0] == 7"),
        Case("a subclass of the notebook", "np.arange(3).view(Tagged)", "type(v) is Tagged and v.sum() == 3"),
        Case("read-only", "frozen(np.arange(3))", "v.tolist() == [0, 1, 2] and not v.flags.writeable"),
        Case("on a mapped file", "mapped()", "v.shape == (4, 2) and v.sum() == 24"),
        Case(
            "repeated without memory",
            "np.broadcast_to(np.arange(3), (1000, 3))",
            "v.shape == (1000, 3) and v[999].tolist() == [0, 1, 2]",
        ),
        Case(
            "huge, and repeated without memory",
            "np.broadcast_to(1.5, (200_000, 1_000_000))",
            "v.shape == (200_000, 1_000_000) and v[-1, -1] == 1.5",
        ),
        Case("windows", "sliding_window_view(np.arange(6), 3)", "v.shape == (4, 3) and v[3].tolist() == [3, 4, 5]"),
        Case("of a buffer", "np.frombuffer(b'abcd', dtype='u1')", "v.tolist() == [97, 98, 99, 100]"),
        Case("of a bytearray", "np.frombuffer(bytearray(b'abcd'), dtype='u1')", "v.tolist() == [97, 98, 99, 100]"),
        Case("of anonymous memory", "np.frombuffer(mmap.mmap(-1, 32), dtype='f8')", "v.tolist() == [0, 0, 0, 0]"),
        Case("a type", "np.dtype([('a', 'f8')])", "v['a'] == float"),
        Case("a type with metadata", "np.dtype('f8', metadata={'u': 'm'})", "v == float"),
        Case("arrays by name", "{'a': np.ones(3), 'b': [np.zeros(2)]}", "v['a'].sum() == 3 and v['b'][0].sum() == 0"),
        Case("the same array twice", "(lambda a: [a, a])(np.ones(2))", "v[0] is v[1]"),
        Case("a generator", "np.random.default_rng(7)", "v.bit_generator.state['bit_generator'] == 'PCG64'"),
        Case(
            "a generator of another kind",
            "np.random.Generator(np.random.Philox(3))",
            "type(v.bit_generator) is np.random.Philox",
        ),
        Case("the older generator", "np.random.RandomState(3)", "v.get_state()[0] == 'MT19937'"),
        Case("a seed", "np.random.SeedSequence(5).spawn(2)[1]", "v.entropy == 5 and v.spawn_key == (1,)"),
        Case("a function of numpy", "np.add", "v is np.add"),
        Case(
            "a method of a function of numpy",
            "[np.add.reduce, np.ndarray.sum]",
            "v[0]([1, 2]) == 3 and v[1] is np.ndarray.sum",
        ),
        Case("a vectorized function", "np.vectorize(lambda n: n + 1)", "v([1, 2]).tolist() == [2, 3]"),
        Case("a polynomial", "np.polynomial.Polynomial([1, 2])", "v(2) == 5"),
        Case("an index", "np.s_[1:3, ..., None]", "v == (slice(1, 3), ..., None)"),
        Case("an iterator over an index", "np.ndindex(2, 2)", "True"),
        Case(
            "sparse by rows",
            "sp.random(20, 20, 0.2, format='csr', random_state=0)",
            "v.shape == (20, 20) and v.nnz == 80 and (v @ np.ones(20)).shape == (20,)",
        ),
        Case("sparse by columns", "sp.eye_array(3, format='csc')", "v.toarray().trace() == 3"),
        Case("sparse by coordinates", "sp.coo_array(([1.0], ([0], [1])), shape=(2, 2))", "v.toarray()[0, 1] == 1"),
        Case(
            "sparse by lists and by keys", "[sp.lil_array((2, 2)), sp.dok_array((2, 2))]", "v[0].nnz == v[1].nnz == 0"
        ),
        Case("a spline", "CubicSpline([0, 1, 2], [0, 1, 4])", "abs(v(2) - 4) < 1e-9"),
        Case("a tree of points", "cKDTree([[0.0, 0], [1, 1]])", "v.query([1, 0.9])[1] == 1"),
    ],
    refused=[
        Refused("an iterator over an array", "np.nditer(np.arange(3))", "nditer"),
        Refused("the elements of an array", "np.arange(3).flat", "flatiter"),
        Refused(
            "an open archive",
            "np.load('a.npz')",
            "an open file",
            before="np.savez('a.npz', a=np.ones(2))",
            after="v.close()",
        ),
        Refused("a file that is mapped", "mmap.mmap(-1, 10)", "mmap"),
    ],
    changes=[
        Change("an assignment to all", "np.zeros(3)", "v[:] = [1, 2, 3]", "v.tolist() == [1, 2, 3]"),
        Change("one element of many", "np.zeros(300_000)", "v[299_999] = 1", "v.sum() == 1"),
        Change("a sort", "np.array([3, 1, 2])", "v.sort()", "v.tolist() == [1, 2, 3]"),
        Change("an operation in place", "np.arange(3)", "v.__imul__(2)", "v.tolist() == [0, 2, 4]"),
        Change("a field", "np.zeros(2, dtype=[('a', 'i8'), ('b', 'f8')])", "v['b'] = 5", "v['b'].tolist() == [5, 5]"),
        Change("an element behind a view", "np.zeros((2, 2))", "v[0].fill(4)", "v.tolist() == [[4, 4], [0, 0]]"),
        Change("another shape", "np.arange(6)", "v.resize((2, 3), refcheck=False)", "v.shape == (2, 3)"),
        Change("a shuffle", "np.arange(100)", "np.random.default_rng(0).shuffle(v)", "v.tolist() != list(range(100))"),
        Change("a mask", "np.ma.array([1, 2, 3])", "v[1] = np.ma.masked", "v.sum() == 4"),
        Change("an object inside", "np.array([[1], [2]] + [None], dtype=object)", "v[0].append(9)", "v[0] == [1, 9]"),
        Change(
            "an array in an array of objects",
            "np.array([np.zeros(2), None], dtype=object)",
            "v[0][1] = 8",
            "v[0].tolist() == [0, 8]",
        ),
        Change(
            "an array deep inside",
            "{'layers': [{'w': np.zeros(2)}]}",
            "v['layers'][0]['w'] += 1",
            "v['layers'][0]['w'].tolist() == [1, 1]",
        ),
        Change(
            "what a generator has drawn",
            "np.random.default_rng(7)",
            "v.random(3)",
            "v.bit_generator.state != np.random.default_rng(7).bit_generator.state",
        ),
        Change("what an older generator has drawn", "np.random.RandomState(7)", "v.rand(3)", "v.get_state()[2] == 6"),
        Change("children of a seed", "np.random.SeedSequence(5)", "v.spawn(2)", "v.n_children_spawned == 2"),
        Change("a sparse element", "sp.lil_array((3, 3))", "v[1, 1] = 5", "v.toarray()[1, 1] == 5"),
        Change("sparse data", "sp.eye_array(3, format='csr')", "v.data *= 2", "v.toarray().trace() == 6"),
        Change("a strided view", "np.zeros(10)[::2]", "v[1] = 3", "v.tolist() == [0, 3, 0, 0, 0]"),
    ],
)
