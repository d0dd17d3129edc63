"""The simulator of SQL Server, seen by clients that others wrote: python-tds, and FreeTDS' tsql and bsqldb.

usage: check.py PORT FOLDER      password of login relevo in RELEVO_SIM_PASSWORD; FOLDER for scratch, on the simulator's machine
Exit 0 when each client saw what it had to see.
"""
import datetime, decimal, os, subprocess, sys, uuid

import pytds

HOST, PORT, FOLDER = "127.0.0.1", int(sys.argv[1]), os.path.abspath(sys.argv[2])
USER, PASSWORD = "relevo", os.environ["RELEVO_SIM_PASSWORD"]
MOMENT = datetime.datetime(2026, 11, 24, 12, 34, 56, 123456)

# Type, how T-SQL writes the value, what python-tds makes of it, what FreeTDS prints.
TYPES = [
    ("bit", "1", True, "1"),
    ("tinyint", "255", 255, "255"),
    ("smallint", "-32768", -32768, "-32768"),
    ("int", "-2147483647", -2147483647, "-2147483647"),
    ("bigint", "9007199254740993", 9007199254740993, "9007199254740993"),
    ("float", "-1.5", -1.5, "-1.5"),
    ("numeric(25,0)", "34000000012300001", decimal.Decimal("34000000012300001"), "34000000012300001"),
    ("decimal(10,2)", "-12345.67", decimal.Decimal("-12345.67"), "-12345.67"),
    ("money", "1234.5678", decimal.Decimal("1234.5678"), "1234.5678"),
    ("datetime2(7)", "'2026-11-24T12:34:56.123456'", MOMENT, None),
    ("datetime", "'2026-11-24T12:34:56.120'", MOMENT.replace(microsecond=120000), None),
    ("date", "'2026-11-24'", MOMENT.date(), None),
    ("uniqueidentifier", "'01020304-0506-0708-090A-0B0C0D0E0F10'", uuid.UUID("01020304-0506-0708-090a-0b0c0d0e0f10"), None),
    ("char(5)", "'año'", "año  ", "año  "),
    ("varchar(20)", "'10 €'", "10 €", "10 €"),
    ("nchar(3)", "N'日'", "日  ", None),
    ("nvarchar(20)", "N'日本 ''x'' ]'", "日本 'x' ]", "日本 'x' ]"),
    ("nvarchar(max)", "N'" + "ñ" * 5000 + "'", "ñ" * 5000, None),
    ("varchar(max)", "'" + "x" * 9000 + "'", "x" * 9000, None),
    ("varbinary(8)", "0x00FF10", b"\x00\xff\x10", "00ff10"),
    ("varbinary(max)", "0x" + "AB" * 9000, b"\xab" * 9000, None),
]


def same(what, found, expected):
    if found != expected:
        sys.exit(f"{what}: {found!r:.300} instead of {expected!r:.300}")
    print(f"ok: {what}")


def connect(password=PASSWORD, **more):
    return pytds.connect(HOST, port=PORT, user=USER, password=password, timeout=30, login_timeout=15, **more)


def error_of(action):
    try:
        action()
    except pytds.Error as e:
        return e
    sys.exit("no error where one was due")


def python_tds():
    names = [f"C{n}" for n in range(len(TYPES))]
    with connect(autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE DATABASE Clientes")
        cursor.execute("USE Clientes")
        columns = ", ".join(f"{name} {kind} NULL" for name, (kind, *_) in zip(names, TYPES))
        cursor.execute(f"CREATE TABLE dbo.Tipos (Id int NOT NULL PRIMARY KEY, {columns})")
        cursor.execute(f"INSERT INTO dbo.Tipos (Id, {', '.join(names)}) VALUES (1, {', '.join(text for _, text, *_ in TYPES)})")
        cursor.execute("INSERT INTO dbo.Tipos (Id) VALUES (2)")
        cursor.execute("SELECT * FROM dbo.Tipos ORDER BY Id")
        same("names of columns", [column[0] for column in cursor.description], ["Id"] + names)
        full, empty = cursor.fetchall()
        for (kind, _, expected, _), found in zip(TYPES, full[1:]):
            same(f"python-tds reads {kind}", found, expected)
        same("python-tds reads NULL of every type", list(empty[1:]), [None] * len(TYPES))

        for name, (kind, _, value, _) in zip(names, TYPES):
            cursor.execute(f"UPDATE dbo.Tipos SET {name} = %s WHERE Id = %s", (pytds.Binary(value) if kind.startswith("varbinary") else value, 2))
            cursor.execute(f"SELECT {name} FROM dbo.Tipos WHERE Id = 2")
            same(f"python-tds sends {kind}", cursor.fetchall(), [(value,)])

        error = error_of(lambda: cursor.execute("SELECT * FROM dbo.NoHay"))
        same("python-tds sees an error", (error.number, error.severity, "dbo.NoHay" in str(error)), (208, 16, True))
        cursor.execute("SELECT COUNT(*) FROM dbo.Tipos")
        same("the session goes on after an error", cursor.fetchall(), [(2,)])

    with connect(database="Clientes") as connection:  # with transactions, by the transaction manager
        cursor = connection.cursor()
        cursor.execute("DELETE FROM dbo.Tipos WHERE Id = 2")
        connection.rollback()
        cursor.execute("SELECT COUNT(*) FROM dbo.Tipos")
        same("what is rolled back stays", cursor.fetchall(), [(2,)])
        cursor.execute("DELETE FROM dbo.Tipos WHERE Id = 2")
        connection.commit()
    with connect(database="Clientes", autocommit=True) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT COUNT(*) FROM dbo.Tipos")
        same("what is committed is gone", cursor.fetchall(), [(1,)])

    error = error_of(lambda: connect(password="otra"))
    same("python-tds is refused", (type(error), "Login failed" in str(error)), (pytds.OperationalError, True))
    error = error_of(lambda: connect(database="NoHay"))
    same("python-tds is told about a database", "NoHay" in str(error), True)


def freetds(encryption):
    """FreeTDS with its login encrypted (request), or everything (require)."""
    conf = os.path.join(FOLDER, f"freetds-{encryption}.conf")
    with open(conf, "w") as f:
        f.write(f"[sim]\nhost = {HOST}\nport = {PORT}\ntds version = 7.4\nencryption = {encryption}\nclient charset = UTF-8\ntext size = 100000\n")
    return {**os.environ, "FREETDSCONF": conf, "LC_ALL": "C.UTF-8"}


def run(command, stdin, environment):
    done = subprocess.run(command, input=stdin, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def tsql(sql, environment, password=PASSWORD):
    return run(["tsql", "-S", "sim", "-U", USER, "-P", password, "-o", "q"], sql + "\ngo\nquit\n", environment)


def free_tds():
    printed = [(f"C{n}", kind, text) for n, (kind, _, _, text) in enumerate(TYPES) if text is not None]
    for encryption in ["request", "require"]:
        environment = freetds(encryption)
        _, output = tsql(f"SELECT {', '.join(name for name, *_ in printed)} FROM Clientes.dbo.Tipos", environment)
        row = [line for line in output.splitlines() if line.count("\t") == len(printed) - 1 and "C0" not in line]
        same(f"tsql reads a row, encryption {encryption}", row and row[0].split("\t"), [text for *_, text in printed])
        _, output = tsql("SELECT * FROM Clientes.dbo.NoHay", environment)
        same("tsql sees an error", "Msg 208 (severity 16" in output and "NoHay" in output, True)
        code, output = tsql("SELECT 1", environment, password="otra")
        same("tsql is refused", (code != 0, "Msg 18456 (severity 14" in output), (True, True))

    copy = os.path.join(FOLDER, "Clientes.bak")
    _, output = tsql(f"BACKUP DATABASE Clientes TO DISK = N'{copy}' WITH FORMAT, CHECKSUM, STATS = 50", environment)
    same("tsql sees a backup's progress", ["50 percent processed" in output, "successfully processed" in output], [True, True])
    moves = f"MOVE N'Clientes' TO N'{FOLDER}/Copia.mdf', MOVE N'Clientes_log' TO N'{FOLDER}/Copia_log.ldf'"
    tsql(f"RESTORE DATABASE Copia FROM DISK = N'{copy}' WITH {moves}", environment)
    _, output = tsql("SELECT COUNT(*), MAX(Id) FROM Copia.dbo.Tipos", environment)
    same("what was backed up is restored", "1\t1" in output, True)

    environment, login = freetds("request"), ["-S", "sim", "-U", USER, "-P", PASSWORD]
    _, output = run(["bsqldb", *login, "-q", "-t", "|", "-D", "Clientes"], "SELECT Id, C13, C6 FROM dbo.Tipos", environment)
    rows = [[part.strip() for part in line.split("|")] for line in output.splitlines() if "|" in line]
    same("bsqldb reads a row", rows, [["1", "año", "34000000012300001"]])
    code, output = run(["bsqldb", *login], "SELECT * FROM Clientes.dbo.NoHay", environment)
    same("bsqldb sees an error", (code != 0, "208" in output), (True, True))


python_tds()
free_tds()
