"""The queries of the second path. Each figure query gives rows of (id, value)."""


def _view(kind: str, fields: str) -> str:
    """A table of one record kind; ``fields`` are 'name TYPE', parted by commas."""
    parts = [part.split() for part in fields.split(",")]
    columns = ", ".join(f"CAST(j->>'{name}' AS {sql}) AS {name}" for name, sql in parts)
    return f"CREATE TABLE {kind} AS SELECT n, mono_ns, j, {columns} FROM h WHERE type = '{kind}'"  # noqa: S608 - literals


_WIDE = (
    "engine VARCHAR, status VARCHAR, response_ms DOUBLE, uptime_s DOUBLE, pid BIGINT, restarts BIGINT, error VARCHAR, "
    "phase VARCHAR, second BIGINT, y DOUBLE, scheduled BIGINT, sent BIGINT, done BIGINT, unsent BIGINT, "
    "failed MAP(VARCHAR|BIGINT)"
)
"""The fields of the kinds of which a long run has millions, taken out of the JSON in one pass."""
BULK = ("health", "load", "level")


def _structure() -> str:
    """`_WIDE` as the structure that from_json takes."""
    pairs = (part.split() for part in f"type VARCHAR, mono_ns BIGINT, {_WIDE}".split(","))
    return "{" + ", ".join(f'"{name}": "{sql.replace("|", ", ")}"' for name, sql in pairs) + "}"


_LINES = """(SELECT n, j FROM (SELECT row_number() OVER () AS n, substr(line, 19) AS j
    FROM read_csv(?, columns = {'line': 'VARCHAR'}, delim = chr(2), quote = '', escape = '', header = false,
                  auto_detect = false, strict_mode = false, comment = '')) WHERE json_valid(j))"""
READ = f"""CREATE TABLE h AS SELECT n, f.* EXCLUDE (failed), coalesce(list_sum(map_values(f.failed)), 0) AS failures,
    CASE WHEN f.type IN {BULK} THEN NULL ELSE CAST(j AS JSON) END AS j
    FROM (SELECT n, j, from_json(j, '{_structure()}') AS f FROM {_LINES})"""  # noqa: S608 - literals
"""Every line that holds JSON.  Of the bulk kinds only the fields above are kept: each is parsed once."""


_SUM_FAILED = "coalesce(list_sum(map_values(CAST(j->'failed' AS MAP(VARCHAR, BIGINT)))), 0)"
_SERVER = (
    "coalesce(list_sum(map_values(map_from_entries(list_filter(map_entries(CAST(j->'failed' AS MAP(VARCHAR, BIGINT))), "
    "lambda e: e.key NOT IN ('timeout', 'http_4xx'))))), 0)"
)

VIEWS = (
    _view("phase", "name VARCHAR, event VARCHAR, measured BOOLEAN"),
    _view("boot", "engine VARCHAR, pid BIGINT, ready_s DOUBLE"),
    _view("fleet_boot", "seconds DOUBLE"),
    "CREATE VIEW health AS SELECT * FROM h WHERE type = 'health'",
    _view("fleet_event", "engine VARCHAR, state VARCHAR"),
    _view("memory", "pss_bytes_total BIGINT"),
    "CREATE VIEW load AS SELECT * FROM h WHERE type = 'load'",
    _view(
        "load_summary",
        "phase VARCHAR, engine VARCHAR, scheduled BIGINT, sent BIGINT, done BIGINT, unsent BIGINT, seconds DOUBLE, "
        "hlog VARCHAR, hlog_unit VARCHAR",
    ),
    _view("generator", "phase VARCHAR, lag_hlog VARCHAR, hlog_unit VARCHAR, lag_p50_ms DOUBLE, lag_p99_ms DOUBLE, "
                       "lag_max_ms DOUBLE, cpu_share DOUBLE, "
                       "stall_max_ms DOUBLE"),
    _view("connections", "phase VARCHAR, at_peak BIGINT"),
    _view("calibration", "mix VARCHAR, rate_rps DOUBLE, r_max_rps DOUBLE, errors BIGINT"),
    _view(
        "ledger",
        "bus VARCHAR, topic VARCHAR, consumer VARCHAR, seconds DOUBLE, published BIGINT, processed_unique BIGINT, "
        "dead_lettered BIGINT, pending BIGINT, lost BIGINT, deliveries BIGINT, redeliveries BIGINT, reordered BIGINT",
    ),
    _view("hop", "phase VARCHAR, name VARCHAR, hlog VARCHAR, hlog_unit VARCHAR, count BIGINT"),
    _view("fault", "event VARCHAR, proven BOOLEAN"),
    _view("recovery", "id VARCHAR, injected_ns BIGINT, detected_ns BIGINT, restarted_ns BIGINT, healthy_ns BIGINT, "
                      "regained_ns BIGINT, drained_ns BIGINT"),
    """CREATE VIEW judged AS SELECT * FROM health WHERE NOT EXISTS (SELECT * FROM recovery r
         WHERE health.mono_ns BETWEEN r.injected_ns AND coalesce(r.regained_ns, 9223372036854775807)
           AND list_contains(CAST(r.j->'engines' AS VARCHAR[]), health.engine))""",
    _view("tape", "digest VARCHAR, ticks BIGINT"),
    _view("halt", "kind VARCHAR, level BIGINT, symbol VARCHAR"),
    _view("alert", "kind VARCHAR"),
    _view("observer", "subject VARCHAR, seen BIGINT"),
    "CREATE VIEW any_fault AS SELECT n FROM fault UNION ALL SELECT n FROM recovery",
    "CREATE TABLE run AS SELECT * FROM h WHERE type = 'run' AND n = (SELECT min(n) FROM h)",
    "CREATE TABLE the_end AS SELECT * FROM h WHERE type = 'end' AND n = (SELECT max(n) FROM h)",
    "CREATE TABLE engines AS SELECT unnest(CAST(j->'engines' AS VARCHAR[])) AS engine FROM run",
    """CREATE TABLE final AS SELECT * FROM health
       WHERE mono_ns >= (SELECT max(mono_ns) FROM phase WHERE measured AND event = 'end')
       QUALIFY row_number() OVER (PARTITION BY engine ORDER BY n DESC) = 1""",
    """CREATE TABLE loaded_phases AS
       SELECT name, min(n) AS n FROM phase WHERE measured AND event = 'start'
         AND (name IN (SELECT phase FROM load_summary) OR name IN (SELECT phase FROM load)) GROUP BY name""",
    "CREATE TABLE measured_load AS SELECT * FROM load_summary WHERE phase IN (SELECT name FROM loaded_phases)",
    """CREATE TABLE last_generator AS
       SELECT * FROM generator QUALIFY row_number() OVER (PARTITION BY phase ORDER BY n DESC) = 1""",
    """CREATE TABLE last_hop AS SELECT phase, name, hlog, hlog_unit, count FROM hop
       QUALIFY row_number() OVER (PARTITION BY phase, name ORDER BY n DESC) = 1""",
    """CREATE TABLE last_ledger AS SELECT *, published - processed_unique - dead_lettered - pending AS gone FROM ledger
       QUALIFY row_number() OVER (PARTITION BY bus, topic, consumer ORDER BY n DESC) = 1""",
    """CREATE TABLE declared_halts AS
       SELECT x->>'kind' AS kind, x->>'level' AS level, x->>'symbol' AS symbol, count(*) AS declared
       FROM (SELECT unnest(CAST(j->'expect'->'halts' AS JSON[])) AS x FROM run) GROUP BY ALL""",
    """CREATE TABLE halt_balance AS
       SELECT coalesce(declared, 0) AS declared, coalesce(observed, 0) AS observed FROM declared_halts d
       FULL JOIN (SELECT kind, level, symbol, count(*) AS observed FROM halt GROUP BY ALL) o
       ON d.kind = o.kind AND d.level IS NOT DISTINCT FROM o.level::VARCHAR
       AND d.symbol IS NOT DISTINCT FROM o.symbol""",
    """CREATE TABLE watched AS SELECT
       coalesce((SELECT arg_max(seen, n) FROM observer WHERE subject = 'halts') = (SELECT count(*) FROM halt), false)
         AS halts,
       coalesce((SELECT arg_max(seen, n) FROM observer WHERE subject = 'alerts') = (SELECT count(*) FROM alert), false)
         AS alerts""",
)  # fmt: skip

_SCOPES = """(SELECT phase, engine AS scope, * EXCLUDE (phase, engine) FROM measured_load
              UNION ALL BY NAME SELECT phase, 'all' AS scope, * EXCLUDE (phase, engine) FROM measured_load)"""


def _load_figure(field: str, value: str) -> str:
    """A figure of each engine and of all; a loaded phase without a summary has it as unknown for all."""
    return f"""SELECT 'load.' || phase || '.' || scope || '.{field}', {value} FROM {_SCOPES} GROUP BY phase, scope
        UNION ALL SELECT 'load.' || name || '.all.{field}', NULL FROM loaded_phases
        WHERE name NOT IN (SELECT phase FROM load_summary)"""  # noqa: S608 - literals


def _recovery_figures(name: str, field: str) -> str:
    """Of each recovery, and over all of them: unknown when one of them lacks the stamp."""
    whole = f"count(*) > 0 AND count(*) = count({field})"
    seconds = f"({field} - injected_ns) / 1e9"
    ranked = f"(list_sort(list({seconds})))[greatest(1, ceil(0.95 * count(*))::INTEGER)]"
    some = "HAVING (SELECT count(*) FROM any_fault) > 0"
    return f"""SELECT 'recovery.' || id || '.{name}_s', {seconds} FROM recovery
        UNION ALL SELECT 'recovery.{name}_mean_s', CASE WHEN {whole} THEN avg({seconds}) END FROM recovery {some}
        UNION ALL SELECT 'recovery.{name}_p95_s', CASE WHEN {whole} THEN {ranked} END FROM recovery {some}
        UNION ALL SELECT 'recovery.{name}_worst_s', CASE WHEN {whole} THEN max({seconds}) END FROM recovery {some}"""  # noqa: S608 - literals


def _ledger_figure(field: str, column: str) -> str:
    return f"SELECT 'bus.' || bus || '.' || topic || '.' || consumer || '.{field}', {column} FROM last_ledger"  # noqa: S608 - literals


FIGURES = (
    "SELECT 'run.duration_s', ((SELECT mono_ns FROM the_end) - (SELECT mono_ns FROM run)) / 1e9",
    "SELECT 'fleet.started', nullif(count(DISTINCT engine), 0) FROM boot",
    "SELECT 'fleet.boot_s', arg_max(seconds, n) FROM fleet_boot",
    """SELECT 'fleet.alive_at_end', CASE
         WHEN (SELECT count(*) FROM engines) = 0 THEN NULL
         WHEN EXISTS (SELECT * FROM engines WHERE engine NOT IN (SELECT engine FROM final)
                                               OR engine NOT IN (SELECT engine FROM boot)) THEN NULL
         ELSE (SELECT count(*) FROM engines JOIN final USING (engine)
               WHERE final.status = 'healthy' AND final.error IS NULL AND final.restarts = 0
                 AND final.pid = (SELECT arg_max(boot.pid, n) FROM boot WHERE boot.engine = engines.engine)
                 AND engine NOT IN (SELECT engine FROM fleet_event
                                    WHERE lower(state) IN ('crashed', 'failed', 'backoff'))) END
       FROM run""",
    """SELECT 'availability.percent',
       100.0 * count(*) FILTER (error IS NULL AND status = 'healthy') / nullif(count(*), 0)
       FROM judged""",
    "SELECT 'idle.response_ms', avg(response_ms) FROM health WHERE phase = 'idle'",
    """SELECT 'fleet.pss_peak_bytes', max(total) FROM
       (SELECT list_sum(map_values(CAST(j->'per_process' AS MAP(VARCHAR, BIGINT)))) AS total FROM memory)""",
    """SELECT 'engine.' || engine || '.ready_s', (SELECT arg_max(ready_s, n) FROM boot WHERE boot.engine = e.engine)
       FROM engines e""",
    """SELECT 'engine.' || engine || '.idle_response_ms',
       (SELECT avg(response_ms) FROM health WHERE health.engine = e.engine AND phase = 'idle') FROM engines e""",
    """SELECT 'engine.' || engine || '.availability_percent',
       (SELECT 100.0 * count(*) FILTER (error IS NULL AND status = 'healthy') / nullif(count(*), 0) FROM judged
        WHERE judged.engine = e.engine) FROM engines e""",
    "SELECT 'engine.' || engine || '.status_at_end', status FROM engines LEFT JOIN final USING (engine)",
    "SELECT 'engine.' || engine || '.uptime_s', uptime_s FROM engines LEFT JOIN final USING (engine)",
    _load_figure("scheduled", "sum(scheduled)"),
    _load_figure("done", "sum(done)"),
    _load_figure("errors", f"sum({_SUM_FAILED})"),
    _load_figure("unsent", "sum(unsent)"),
    _load_figure("rps", "sum(done) / nullif(max(seconds), 0)"),
    """SELECT 'load.' || name || '.all.rps_stressed',
       (SELECT sum(done) / nullif(count(DISTINCT second), 0) FROM load WHERE phase = name AND y >= 0.5)
       FROM loaded_phases""",
    f"""SELECT 'load.server_errors', CASE WHEN (SELECT count(*) FROM loaded_phases) = 0 THEN NULL
         WHEN EXISTS (SELECT * FROM loaded_phases, engines WHERE NOT EXISTS
                      (SELECT * FROM load_summary s WHERE s.phase = name AND s.engine = engines.engine)) THEN NULL
         WHEN NOT EXISTS (SELECT * FROM run) THEN NULL
         ELSE (SELECT sum({_SERVER}) FROM measured_load) END""",  # noqa: S608 - literals
    "SELECT 'generator.' || name || '.cpu_percent', 100 * cpu_share FROM loaded_phases p "
    "LEFT JOIN last_generator g ON g.phase = p.name",
    "SELECT 'generator.' || name || '.stall_max_ms', stall_max_ms FROM loaded_phases p "
    "LEFT JOIN last_generator g ON g.phase = p.name",
    """SELECT 'connections.' || name || '.at_peak', (SELECT min(at_peak) FROM connections WHERE phase = name)
       FROM loaded_phases""",
    "SELECT 'calibration.' || mix || '.capacity_rps', arg_max(rate_rps, n) FROM calibration GROUP BY mix",
    "SELECT 'calibration.' || mix || '.r_max_rps', arg_max(r_max_rps, n) FROM calibration GROUP BY mix",
    "SELECT 'calibration.' || mix || '.errors', sum(errors) FROM calibration GROUP BY mix",
    *(_ledger_figure(field, field) for field in
      ("published", "processed_unique", "dead_lettered", "pending", "redeliveries", "reordered")),
    _ledger_figure("lost", "gone"),
    """SELECT 'bus.lost', CASE
         WHEN coalesce((SELECT json_array_length(j->'expect'->'ledger') FROM run), 0) = 0 THEN NULL
         WHEN EXISTS (SELECT * FROM (SELECT unnest(CAST(j->'expect'->'ledger' AS JSON[])) AS x FROM run)
                      WHERE NOT EXISTS (SELECT * FROM last_ledger l WHERE l.bus = x->>'bus'
                                        AND l.topic = x->>'topic' AND l.consumer = x->>'consumer')) THEN NULL
         ELSE (SELECT sum(abs(gone)) FROM last_ledger) END""",
    "SELECT 'bus.published', sum(p) FROM (SELECT max(published) AS p FROM last_ledger GROUP BY bus, topic)",
    *(f"SELECT 'bus.{field}', sum({column}) FROM last_ledger" for field, column in  # noqa: S608 - literals
      (("delivered", "deliveries"), ("dead_lettered", "dead_lettered"), ("redeliveries", "redeliveries"),
       ("reordered", "reordered"))),
    """SELECT 'bus.rate_msgs_s', sum(least_done) / nullif(max(seconds), 0) FROM
       (SELECT min(processed_unique) AS least_done, max(seconds) AS seconds FROM last_ledger GROUP BY bus, topic)""",
    "SELECT 'faults.injected', count(*) FROM fault WHERE event = 'inject' HAVING (SELECT count(*) FROM any_fault) > 0",
    "SELECT 'faults.unproven', count(*) FROM fault WHERE NOT proven HAVING (SELECT count(*) FROM any_fault) > 0",
    """SELECT 'recovery.missing', (SELECT count(*) FROM fault WHERE event = 'inject')
         - (SELECT count(*) FROM recovery WHERE regained_ns IS NOT NULL) WHERE (SELECT count(*) FROM any_fault) > 0""",
    *(_recovery_figures(name, field) for name, field in
      (("detect", "detected_ns"), ("restart", "restarted_ns"), ("healthy", "healthy_ns"), ("regain", "regained_ns"),
       ("drain", "drained_ns"))),
    "SELECT 'tape.digest', arg_max(digest, n) FROM tape",
    "SELECT 'tape.ticks', arg_max(ticks, n) FROM tape",
    "SELECT 'tape.pins', json_array_length(max_by(j, n)->'pins') FROM tape",
    """SELECT 'tape.pins_held', CASE WHEN count(*) = 0 THEN NULL ELSE
         len(list_filter(CAST(max_by(j, n)->'pins' AS JSON[]),
             lambda x: CAST(x->>'target' AS DOUBLE) = CAST(x->>'got' AS DOUBLE))) END FROM tape""",
    "SELECT 'halts.declared', (SELECT json_array_length(j->'expect'->'halts') FROM run)",
    "SELECT 'halts.observed', CASE WHEN halts THEN (SELECT count(*) FROM halt) END FROM watched",
    """SELECT 'halts.missing', CASE WHEN halts THEN
         (SELECT coalesce(sum(greatest(declared - observed, 0)), 0) FROM halt_balance) END FROM watched""",
    """SELECT 'halts.unexpected', CASE WHEN halts THEN
         (SELECT coalesce(sum(greatest(observed - declared, 0)), 0) FROM halt_balance) END FROM watched""",
    """SELECT 'alerts.missing', CASE WHEN alerts AND EXISTS (SELECT * FROM run) THEN
         (SELECT count(DISTINCT k) FROM (SELECT unnest(CAST(j->'expect'->'alerts' AS VARCHAR[])) AS k FROM run)
          WHERE k NOT IN (SELECT kind FROM alert)) END FROM watched""",
)  # fmt: skip

SAMPLE_FIGURES = (
    "SELECT 'host.cpu_mean_percent', avg(cpu_percent) FROM samples WHERE scope = 'host'",
    "SELECT 'host.memory_max_bytes', max(memory_used_bytes) FROM samples WHERE scope = 'host'",
    *(
        f"SELECT 'process.' || name || '.{field}', {value} FROM samples WHERE scope = 'process' GROUP BY name"  # noqa: S608 - literals
        for field, value in (
            ("cpu_mean_percent", "avg(cpu_percent)"),
            ("rss_max_bytes", "max(rss_bytes)"),
            ("fds_max", "max(fds)"),
            ("threads_max", "max(threads)"),
        )
    ),
)
"""Figures over the samples."""

DISAGREEMENTS = {
    "load": f"""SELECT EXISTS (SELECT * FROM load_summary WHERE scheduled <> done + unsent + {_SUM_FAILED})
        OR EXISTS (SELECT * FROM load_summary s LEFT JOIN
             (SELECT phase, engine, sum(scheduled) a, sum(sent) b, sum(done) c, sum(unsent) d, sum(failures) e
              FROM load GROUP BY phase, engine) l ON s.phase = l.phase AND s.engine = l.engine
             WHERE s.scheduled <> coalesce(a, 0) OR s.sent <> coalesce(b, 0) OR s.done <> coalesce(c, 0)
                OR s.unsent <> coalesce(d, 0) OR {_SUM_FAILED.replace("j->", "s.j->")} <> coalesce(e, 0))
        OR EXISTS (SELECT * FROM load WHERE (phase, engine) NOT IN (SELECT (phase, engine) FROM load_summary))""",  # noqa: S608 - literals
    "bus": """SELECT EXISTS (SELECT * FROM ledger
        WHERE lost <> published - processed_unique - dead_lettered - pending
           OR deliveries <> processed_unique + dead_lettered + redeliveries)""",
    "memory": """SELECT EXISTS (SELECT * FROM memory WHERE pss_bytes_total <>
        coalesce(list_sum(map_values(CAST(j->'per_process' AS MAP(VARCHAR, BIGINT)))), 0))""",
    "halts": """SELECT EXISTS (SELECT * FROM observer
        WHERE seen <>
        CASE subject WHEN 'halts' THEN (SELECT count(*) FROM halt) ELSE (SELECT count(*) FROM alert) END)""",
}
"""Whether records contradict each other, by subject; those against the HDR logs are in ``recount_verdicts``."""
