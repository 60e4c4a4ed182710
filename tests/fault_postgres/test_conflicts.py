"""The database refuses statements and commits, as it may when transactions meet: they are repeated."""

from work import Registrations, Work

REFUSE = """
CREATE SEQUENCE refused_statements;
CREATE SEQUENCE refused_commits;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF random() < TG_ARGV[0]::float8 THEN
    PERFORM nextval(TG_ARGV[1]);
    RAISE EXCEPTION 'refused by the test' USING ERRCODE =
        CASE WHEN random() < 0.5 THEN 'serialization_failure' ELSE 'deadlock_detected' END;
  END IF;
  RETURN NULL;
END $$;
"""
# A sequence counts on where a transaction is rolled back.
STATEMENTS = """
CREATE TRIGGER refuse_statement BEFORE INSERT OR UPDATE OR DELETE ON {table}
  FOR EACH STATEMENT EXECUTE FUNCTION refuse('{share}', 'refused_statements')"""
COMMITS = """
CREATE CONSTRAINT TRIGGER refuse_commit AFTER INSERT OR UPDATE ON {table}
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse('{share}', 'refused_commits')"""
OF_REQUESTS = ("users", "flows", "flow_versions", "access_tokens", "audit_log")
OF_RUNS = ("run_live", "journal", "run", "log_chunks")
SHARE = 0.1
SHARE_OF_ROWS = 0.01  # a batch of the engine has many


def refuse_now_and_then(database):
    database.execute(REFUSE)
    keys = [name for name, in database.rows(
        "SELECT tablename FROM pg_tables WHERE tablename LIKE 'idempotency%'")]
    assert keys
    for table in (*OF_REQUESTS, *OF_RUNS, *keys):
        database.execute(STATEMENTS.format(table=table, share=SHARE))
        share = SHARE if table in OF_REQUESTS else SHARE_OF_ROWS
        database.execute(COMMITS.format(table=table, share=share))


def count(database, sequence):
    last, is_called = database.rows(f"SELECT last_value, is_called FROM {sequence}")[0]
    return last if is_called else 0


def test_statements_and_commits_are_refused(make_node, database, seed, tmp_path):
    node = make_node().start()
    with Work(node, tmp_path, seed) as work:
        work.goes_on()
        refuse_now_and_then(database)
        with Registrations(node, work.caller.token) as made:
            for _ in range(20):
                work.caller.log_in()
            for _ in range(60):
                work.goes_on()
        assert made.check(database) == 0
        assert work.finish() == 0
    statements = count(database, "refused_statements")
    commits = count(database, "refused_commits")
    print(f"{statements} statements and {commits} commits refused; {len(made.told)} flows registered")
    assert statements > 50 and commits > 20
    assert work.probe.refused() == 0
    assert node.stop() == 0
    work.check_stopped(node)
    assert database.count("SELECT COUNT(*) FROM access_tokens") == 21
