"""Runs SQL over a Delta table with a reader that knows nothing of skerry.

Usage: query.py deltalake|duckdb|spark TABLE SQL

TABLE is a Delta table or, for duckdb, a Parquet file. The statement calls it bucket. Prints the rows as a JSON array of arrays.
"""

import json
import os
import pathlib
import sys


def deltalake(table, sql):
    import deltalake

    source = deltalake.DeltaTable(table)
    result = deltalake.QueryBuilder().register("bucket", source).execute(sql).read_all()
    columns = [column.to_pylist() for column in result.columns]
    return list(zip(*columns))


def duckdb(table, sql):
    import duckdb

    if table.endswith(".parquet"):
        connection = duckdb.connect()
        connection.execute(f"CREATE VIEW bucket AS SELECT * FROM read_parquet('{table}')")
        return connection.execute(sql).fetchall()
    import duckdb_ext

    # Nothing is fetched at run time: the extension came with its package.
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false"})
    (extension,) = pathlib.Path(list(duckdb_ext.__path__)[0]).rglob("delta.duckdb_extension")
    connection.execute(f"LOAD '{extension}'")
    connection.execute(f"CREATE VIEW bucket AS SELECT * FROM delta_scan('{table}')")
    return connection.execute(sql).fetchall()


def spark(table, sql):
    from pyspark.sql import SparkSession

    jars = pathlib.Path(sys.prefix).parent.glob("spark/*/*.jar")
    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.databricks.delta.snapshotPartitions", "1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.jars", ",".join(map(os.fspath, jars)))
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    session.read.format("delta").load(table).createOrReplaceTempView("bucket")
    return [tuple(row) for row in session.sql(sql).collect()]


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    engine = {"deltalake": deltalake, "duckdb": duckdb, "spark": spark}[sys.argv[1]]
    print(json.dumps(engine(*sys.argv[2:]), default=str))
