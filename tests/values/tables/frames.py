"""pandas, polars and pyarrow."""

# ruff: noqa: E501  # a case is read as one line

from tests.values.table import Case, Change, Refused, Table

TABLE = Table(
    setup="""
import datetime
import tempfile
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

def doubled(x):
    return x * 2

class Kept(pd.DataFrame):
    _metadata = ["unit"]

    @property
    def _constructor(self):
        return Kept

def attributed(frame, **attributes):
    frame.attrs.update(attributes)
    return frame

def with_unit(frame, unit):
    frame.unit = unit
    return frame

def on_disk(table):
    path = tempfile.mkdtemp() + "/t.arrow"
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write(table)
    return pa.ipc.open_file(pa.memory_map(path)).read_all()

def looked_at(frame):
    frame.index.is_unique, frame.columns.get_loc("a"), frame["a"].sum()
    return frame

numbers = pd.DataFrame({"a": [1, 2, 3], "b": [1.5, 2.5, 3.5]})
""",
    cases=[
        Case(
            "numbers",
            "pd.DataFrame({'a': range(3), 'b': 1.5})",
            "v.shape == (3, 2) and v.b.sum() == 4.5 and v.a.dtype == 'int64'",
        ),
        Case(
            "texts",
            "pd.DataFrame({'s': ['x', None, 'z']})",
            "v.s.dtype == 'str' and v.s.isna().tolist() == [False, True, False]",
        ),
        Case("objects", "pd.DataFrame({'o': [[1], {2}, None]}, dtype=object)", "v.o[0] == [1] and v.o[1] == {2}"),
        Case(
            "categories",
            "pd.Series(pd.Categorical(['lo', 'hi', 'lo'], categories=['lo', 'hi'], ordered=True))",
            "v.cat.ordered and v.max() == 'hi' and v.cat.codes.tolist() == [0, 1, 0]",
        ),
        Case(
            "rows by two keys",
            "pd.DataFrame({'n': range(4)}, index=pd.MultiIndex.from_product([['a', 'b'], [1, 2]], names=['k', 'm']))",
            "v.loc[('b', 2), 'n'] == 3 and v.index.names == ['k', 'm']",
        ),
        Case(
            "times with a zone",
            "pd.Series(range(3), index=pd.date_range('2024-03-30', periods=3, tz='Europe/Rome'))",
            "str(v.index.tz) == 'Europe/Rome' and v.index.freq == 'D' and v['2024-03-31'] == 1",
        ),
        Case(
            "times of a column with a zone",
            "pd.DataFrame({'t': pd.to_datetime(['2024-01-01T00:00Z'])})",
            "v.t[0].tzinfo is not None and v.t[0].year == 2024",
        ),
        Case(
            "periods", "pd.Series([1, 2], index=pd.period_range('2024-01', periods=2, freq='M'))", "v['2024-02'] == 2"
        ),
        Case(
            "intervals",
            "pd.cut(pd.Series([1, 5, 9]), 2)",
            "v.cat.categories[0].closed == 'right' and v[0] == v.cat.categories[0]",
        ),
        Case("durations", "pd.Series(pd.to_timedelta(['1D', None]))", "v[0] == pd.Timedelta(days=1) and v.isna()[1]"),
        Case(
            "nullable",
            "pd.DataFrame({'i': pd.array([1, None], dtype='Int64'), 'b': pd.array([True, None], dtype='boolean')})",
            "v.i.sum() == 1 and v.b.isna()[1]",
        ),
        Case(
            "columns of Arrow",
            "pd.DataFrame({'x': pd.array([1, None], dtype='int64[pyarrow]'), 's': pd.array(['a', 'b'], dtype='string[pyarrow]')})",
            "v.x.isna().tolist() == [False, True] and v.s.str.upper()[1] == 'B'",
        ),
        Case(
            "nested columns of Arrow",
            "pd.Series([[1, 2], [3]], dtype=pd.ArrowDtype(pa.list_(pa.int64())))",
            "v.list.len().tolist() == [2, 1]",
        ),
        Case("sparse", "pd.arrays.SparseArray([0, 0, 1])", "v.density == 1 / 3 and v.sum() == 1"),
        Case("a sparse column", "pd.DataFrame({'s': pd.arrays.SparseArray([0, 0, 1])})", "v.s.sparse.density == 1 / 3"),
        Case(
            "attributes",
            "attributed(pd.DataFrame({'a': [1]}), source='s', tags=['t'])",
            "v.attrs == {'source': 's', 'tags': ['t']}",
        ),
        Case(
            "a subclass of the notebook with metadata",
            "with_unit(Kept({'a': [1]}), 'kg')",
            "type(v) is Kept and v.unit == 'kg' and type(v[['a']]) is Kept",
        ),
        Case(
            "flags",
            "pd.DataFrame({'a': [1]}).set_flags(allows_duplicate_labels=False)",
            "not v.flags.allows_duplicate_labels",
        ),
        Case("two columns of one name", "pd.DataFrame([[1, 2]], columns=['a', 'a'])", "v['a'].shape == (1, 2)"),
        Case("no row", "pd.DataFrame(columns=['a']).astype({'a': 'float64'})", "len(v) == 0 and v.a.dtype == float"),
        Case("no column", "pd.DataFrame(index=[1, 2])", "v.shape == (2, 0)"),
        Case("a column of a frame", "numbers['b']", "v.name == 'b' and v.tolist() == [1.5, 2.5, 3.5]"),
        Case("rows of a frame", "numbers[numbers.a > 1]", "v.index.tolist() == [1, 2]"),
        Case("columns of a frame", "numbers[['b']]", "v.columns.tolist() == ['b']"),
        Case("every other row", "numbers.iloc[::2]", "v.a.tolist() == [1, 3]"),
        Case("turned around", "numbers.T", "v.loc['b', 1] == 2.5"),
        Case("numbers of a column", "numbers['a'].to_numpy()", "v.tolist() == [1, 2, 3] and not v.flags.writeable"),
        Case("looked at before", "looked_at(pd.DataFrame({'a': [1, 2]}))", "v.a.sum() == 3 and v.index.is_unique"),
        Case("an index", "pd.Index(['x', 'y'], name='k')", "v.get_loc('y') == 1 and v.name == 'k'"),
        Case("a range of rows", "pd.RangeIndex(5)", "len(v) == 5 and v.step == 1"),
        Case("groups", "numbers.groupby('a')", "v.b.sum().tolist() == [1.5, 2.5, 3.5] and len(v.groups) == 3"),
        Case("groups of a column", "numbers.groupby('a')['b']", "v.max()[2] == 2.5"),
        Case("a window", "numbers.rolling(2)", "v.a.sum()[2] == 5"),
        Case(
            "a resampling",
            "pd.Series(range(4), index=pd.date_range('2024', periods=4, freq='h')).resample('2h')",
            "v.sum().tolist() == [1, 5]",
        ),
        Case("a style", "numbers.style.format(precision=1).highlight_max(axis=0)", "'3.5' in v.to_html()"),
        Case(
            "moments",
            "[pd.Timestamp('2024-01-01', tz='UTC'), pd.NaT, pd.NA, pd.Timedelta(1), pd.offsets.BDay(2)]",
            "v[0].year == 2024 and v[1] is pd.NaT and v[2] is pd.NA and v[4].n == 2",
        ),
        Case("the type of a column", "numbers.dtypes", "v['a'] == 'int64'"),
        Case("the same frame twice", "(lambda f: {'x': f, 'y': f})(pd.DataFrame({'a': [1]}))", "v['x'] is v['y']"),
        Case("a list of frames", "[pd.DataFrame({'a': [n]}) for n in range(3)]", "[f.a[0] for f in v] == [0, 1, 2]"),
        Case("the words of a column", "pd.Series(['x']).str", "v.upper()[0] == 'X'"),
        Case(
            "polars", "pl.DataFrame({'a': [1, 2], 's': ['x', None]})", "v['a'].sum() == 3 and v['s'].null_count() == 1"
        ),
        Case(
            "polars, of many types",
            "pl.DataFrame({'d': [datetime.date(2024, 1, 1)], 'l': [[1, 2]], 'st': [{'q': 1}], 'c': pl.Series(['k'], dtype=pl.Categorical), 'b': [b'x']})",
            "v['l'][0].to_list() == [1, 2] and v['st'][0] == {'q': 1} and v.schema['c'] == pl.Categorical",
        ),
        Case("polars, with objects", "pl.Series('o', ['text'], dtype=pl.String)", "v[0] == 'text'"),
        Case(
            "a lazy frame",
            "pl.LazyFrame({'a': [1, 2, 3]}).filter(pl.col('a') > 1)",
            "v.collect()['a'].to_list() == [2, 3]",
        ),
        Case(
            "a lazy frame with a function of the notebook",
            "pl.LazyFrame({'a': [1, 2]}).with_columns(b=pl.col('a').map_elements(doubled, return_dtype=pl.Int64))",
            "v.collect()['b'].to_list() == [2, 4]",
        ),
        Case("an expression", "(pl.col('a') + 1).alias('b')", "pl.DataFrame({'a': [1]}).select(v)['b'][0] == 2"),
        Case(
            "polars' groups",
            "pl.DataFrame({'a': [1, 1], 'b': [2, 3]}).group_by('a')",
            "v.agg(pl.col('b').sum())['b'][0] == 5",
        ),
        Case(
            "polars' types",
            "[pl.Int64, pl.List(pl.String), pl.Schema({'a': pl.Int8})]",
            "v[0] == pl.Int64 and v[1].inner == pl.String",
        ),
        Case(
            "Arrow",
            "pa.table({'a': [1, 2, None], 's': ['x', 'y', 'z']})",
            "v.num_rows == 3 and v['a'].null_count == 1 and v['s'][2].as_py() == 'z'",
        ),
        Case(
            "Arrow in chunks",
            "pa.concat_tables([pa.table({'a': [1]}), pa.table({'a': [2]})])",
            "v['a'].num_chunks == 2 and v['a'].to_pylist() == [1, 2]",
        ),
        Case(
            "a slice of Arrow",
            "pa.table({'a': range(1000)}).slice(10, 5)",
            "v['a'].to_pylist() == [10, 11, 12, 13, 14]",
        ),
        Case("Arrow on a mapped file", "on_disk(pa.table({'a': range(100)}))", "pc.sum(v['a']).as_py() == 4950"),
        Case(
            "Arrow's metadata",
            "pa.table({'a': [1]}).replace_schema_metadata({'k': 'v'})",
            "v.schema.metadata == {b'k': b'v'}",
        ),
        Case("a batch", "pa.record_batch({'a': [1, 2]})", "v.num_rows == 2"),
        Case("a dictionary", "pa.array(['x', 'y', 'x']).dictionary_encode()", "v.indices.to_pylist() == [0, 1, 0]"),
        Case("nested Arrow", "pa.array([{'x': [1, None]}, None])", "v.to_pylist() == [{'x': [1, None]}, None]"),
        Case(
            "a scalar and a type of Arrow",
            "[pa.scalar(3), pa.int64(), pa.schema([('a', pa.list_(pa.string()))]), pa.field('f', pa.bool_())]",
            "v[0].as_py() == 3 and v[1] == pa.int64() and v[2].names == ['a']",
        ),
        Case("a buffer of Arrow", "pa.py_buffer(b'abc')", "v.to_pybytes() == b'abc'"),
        Case("an expression of Arrow", "pc.field('a') > 1", "pa.table({'a': [1, 2]}).filter(v).num_rows == 1"),
        Case("a data set in memory", "pa.table({'a': [1, 2]}).to_batches()", "v[0].num_rows == 2"),
    ],
    refused=[
        Refused("a reader of batches", "pa.table({'a': [1]}).to_reader()", "RecordBatchReader"),
        Refused("rows of a frame, one by one", "numbers.iterrows()", "a generator"),
        Refused("an open file of Arrow", "pa.OSFile('x', 'wb')", "OSFile", after="v.close()"),
        Refused("a file for a frame", "open('y', 'w')", "an open file", after="v.close()"),
        Refused(
            "a connection inside a frame",
            "pd.DataFrame({'c': [__import__('sqlite3').connect(':memory:')]})",
            "a connection to a database",
        ),
    ],
    changes=[
        Change("a new column", "pd.DataFrame({'a': [1, 2]})", "v['c'] = v.a * 2", "v.c.tolist() == [2, 4]"),
        Change(
            "a column dropped",
            "pd.DataFrame({'a': [1], 'b': [2]})",
            "v.drop(columns='b', inplace=True)",
            "v.columns.tolist() == ['a']",
        ),
        Change("a column deleted", "pd.DataFrame({'a': [1], 'b': [2]})", "del v['b']", "v.columns.tolist() == ['a']"),
        Change("a cell", "pd.DataFrame({'a': [1, 2]})", "v.loc[1, 'a'] = 7", "v.a.tolist() == [1, 7]"),
        Change("a new row", "pd.DataFrame({'a': [1]})", "v.loc[5] = 9", "v.a.tolist() == [1, 9]"),
        Change("names of columns", "pd.DataFrame({'a': [1]})", "v.columns = ['z']", "v.z[0] == 1"),
        Change(
            "a column renamed", "pd.DataFrame({'a': [1]})", "v.rename(columns={'a': 'q'}, inplace=True)", "'q' in v"
        ),
        Change("the name of an index", "pd.DataFrame({'a': [1]})", "v.index.name = 'k'", "v.index.name == 'k'"),
        Change(
            "the names of an index of two keys",
            "pd.Series([1, 2], index=pd.MultiIndex.from_tuples([('a', 1), ('b', 2)]))",
            "v.index.names = ['k', 'm']",
            "v.index.names == ['k', 'm'] and v['b', 2] == 2",
        ),
        Change("a sort", "pd.DataFrame({'a': [2, 1]})", "v.sort_values('a', inplace=True)", "v.a.tolist() == [1, 2]"),
        Change(
            "an index", "pd.DataFrame({'a': [2, 1]})", "v.set_index('a', inplace=True)", "v.index.tolist() == [2, 1]"
        ),
        Change("attributes", "pd.DataFrame({'a': [1]})", "v.attrs['unit'] = 'kg'", "v.attrs == {'unit': 'kg'}"),
        Change("a series", "pd.Series([1.0, None])", "v.fillna(0, inplace=True)", "v.tolist() == [1, 0]"),
        Change("an object in a series", "pd.Series([[1], [2]])", "v[0].append(5)", "v[0] == [1, 5]"),
        Change("categories", "pd.Series(['a', 'b'], dtype='category')", "v[0] = 'b'", "v.tolist() == ['b', 'b']"),
        Change(
            "one of many frames", "[pd.DataFrame({'a': [n]}) for n in range(3)]", "v[1]['a'] = 50", "v[1].a[0] == 50"
        ),
        Change("a text", "pd.DataFrame({'s': ['x', 'y']})", "v.loc[0, 's'] = 'long ' * 9", "v.s[0] == 'long ' * 9"),
        Change(
            "a column of Arrow",
            "pd.DataFrame({'x': pd.array([1, 2], dtype='int64[pyarrow]')})",
            "v.loc[0, 'x'] = 5",
            "v.x.sum() == 7",
        ),
        Change("many numbers", "pd.DataFrame(np.zeros((1000, 50)))", "v.iloc[-1, -1] = 1", "v.to_numpy().sum() == 1"),
        Change("a column of polars renamed", "pl.DataFrame({'a': [1]})", "v.columns = ['b']", "v.columns == ['b']"),
        Change(
            "a column of polars",
            "pl.DataFrame({'a': [1]})",
            "v.insert_column(1, pl.Series('n', [2]))",
            "v['n'][0] == 2",
        ),
        Change("an element of polars", "pl.DataFrame({'a': [1, 2]})", "v[0, 'a'] = 9", "v['a'].to_list() == [9, 2]"),
        Change("polars extended", "pl.Series('a', [1])", "v.append(pl.Series('a', [2]))", "v.to_list() == [1, 2]"),
    ],
)
