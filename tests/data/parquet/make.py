"""Makes rows.parquet, the rows of rows.jsonl, with pyarrow 26.0.1: python3 make.py"""

import datetime
import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path(__file__).parent
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.large_string()), ("name", pa.string())])
SCHEMA = pa.schema([
    ("messages", pa.list_(MESSAGE)),
    ("source", pa.dictionary(pa.int8(), pa.string())),
    ("turns", pa.int32()),
    ("score", pa.float64()),
    ("half", pa.float32()),
    ("good", pa.bool_()),
    ("tags", pa.large_list(pa.string())),
    ("ids", pa.list_(pa.int64(), 2)),
    ("note", pa.string()),
    ("day", pa.date32()),
    ("image", pa.binary()),
])


def column(field, rows):
    values = [row.get(field.name) for row in rows]
    if field.name == "day":
        values = [value and datetime.date.fromisoformat(value) for value in values]
    if field.name == "image":
        values = [b"\x00\xff"] * len(rows)
    return pa.array(values, type=field.type)


rows = [json.loads(line) for line in (FOLDER / "rows.jsonl").read_text().splitlines()]
table = pa.Table.from_arrays([column(field, rows) for field in SCHEMA], schema=SCHEMA)
pq.write_table(table, FOLDER / "rows.parquet", row_group_size=25, compression="zstd")
