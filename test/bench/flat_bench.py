#!/usr/bin/env python3
"""flat_bench.py --- nlp_flat beside pgvector's HNSW and its exact scan, same rows, one run.

  make OUT [VECTORS.npy]   rows, hard queries and rows to insert, as text; from an array of word vectors
  run OUT                  everything else; flat_bench.sh has started the server

Hard queries are half a - b + c of random words and half rare words with noise, all seeded.
Recall is against a brute-force search in double precision; a row counts as right when it is as
near as the tenth to within 1e-6, since the servers compute in single precision."""
import os
import subprocess
import sys
import time

import numpy as np

ROWS, QUERIES, EXTRA, DIM = 341479, 1000, 4000, 100


def write(rows, path, first=1):
    with open(path, 'w') as f:
        for i, row in enumerate(rows):
            f.write(f"{first + i}\t[{','.join(repr(float(v)) for v in row)}]\n")


def make(out, vectors):
    """Words themselves, then copies with noise of 0.4 of their length, in random order."""
    rng = np.random.default_rng(42)
    v = np.load(vectors).astype('f4')
    norm = np.linalg.norm(v, axis=1)
    parts = [v]
    while sum(map(len, parts)) < ROWS + EXTRA:
        d = rng.standard_normal(v.shape, dtype='f4')
        parts.append(v + d * (0.4 * norm / np.linalg.norm(d, axis=1))[:, None])
    x = np.concatenate(parts)[:ROWS + EXTRA]
    x = x[rng.permutation(len(x))]
    q = []
    for i in range(QUERIES):
        if i % 2 == 0:
            a, b, c = rng.integers(0, len(v), 3)
            q.append(v[a] - v[b] + v[c])
        else:
            w = rng.integers(len(v) // 2, len(v))
            d = rng.standard_normal(DIM, dtype='f4')
            q.append(v[w] + d * (0.5 * norm[w] / np.linalg.norm(d)))
    q = np.array(q, dtype='f4')
    np.savez(f'{out}/bench.npz', x=x[:ROWS], q=q)
    write(x[:ROWS], f'{out}/rows.tsv')
    write(x[ROWS:], f'{out}/extra.tsv', ROWS + 1)
    write(q, f'{out}/queries.tsv')


class Session:
    """A psql that stays, and what its backend has used of the processor."""

    def __init__(self):
        self.p = subprocess.Popen(['psql', '-X', '-qAt', '-v', 'ON_ERROR_STOP=1'], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, text=True)
        self.pid = self.ask('SELECT pg_backend_pid()')[0]

    def ask(self, sql):
        self.p.stdin.write(sql + ';\n\\echo .\n')
        self.p.stdin.flush()
        lines = []
        while True:
            line = self.p.stdout.readline()
            if line == '':
                sys.exit('the session is gone')
            if line == '.\n':
                return lines
            lines.append(line.rstrip('\n'))

    def cpu(self):
        return int(open(f'/proc/{self.pid}/schedstat').read().split()[0]) / 1e9

    def timed(self, sql):
        """Seconds of wall time and of the backend's CPU."""
        t, c = time.time(), self.cpu()
        self.ask(sql)
        return time.time() - t, self.cpu() - c


def load():
    return 'load average ' + open('/proc/loadavg').read().split()[0]


def exact(x, q):
    """Ids and distances of the ten nearest by cosine."""
    x = x.astype('f8') / np.linalg.norm(x.astype('f8'), axis=1)[:, None]
    q = q.astype('f8') / np.linalg.norm(q.astype('f8'), axis=1)[:, None]
    limit = np.empty(len(q))
    for i in range(0, len(q), 50):
        limit[i:i + 50] = np.partition(1 - q[i:i + 50] @ x.T, 9, axis=1)[:, 9]
    return x, q, limit


def recall(s, table, truth):
    x, q, limit = truth
    found = 0
    sql = f'SELECT q.id, n.id FROM queries_{table} q, LATERAL (SELECT id FROM {table} ORDER BY e <=> q.e LIMIT 10) n'
    for line in s.ask(sql):
        i, j = (int(v) - 1 for v in line.split('|'))
        found += 1 - x[j] @ q[i] <= limit[i] + 1e-6
    return found / (10 * len(q))


SEARCH = 'SELECT id FROM {0} ORDER BY e <=> (SELECT e FROM queries_{0} WHERE id = :i) LIMIT 10;'


def rate(out, table, seconds, setup=''):
    """Queries a second of one client, prepared."""
    with open(f'{out}/{table}.sql', 'w') as f:
        f.write(f'\\set i random(1, {QUERIES})\n' + SEARCH.format(table) + '\n')
    r = subprocess.run(['pgbench', '-n', '-M', 'prepared', '-c', '1', '-T', str(seconds), '-f', f'{out}/{table}.sql'],
                       capture_output=True, text=True, env=dict(os.environ, PGOPTIONS=setup), check=True)
    return float(next(l for l in r.stdout.splitlines() if l.startswith('tps')).split()[2])


def cpu_of_search(s, table, n=100):
    sql = f'SELECT count(*) FROM queries_{table} q, LATERAL (SELECT id FROM {table} ORDER BY e <=> q.e LIMIT 10) n WHERE q.id <= {n}'
    return min(s.timed(sql)[1] for _ in range(3)) / n * 1000


def inserts(s, table, n=1000):
    """Rows a second, one statement for all and one each; the rows go again."""
    many = s.timed(f'INSERT INTO {table} SELECT * FROM extra_{table} WHERE id <= {ROWS + n}')
    rows = s.ask(f'SELECT id, e FROM extra_{table} WHERE id > {ROWS + n} AND id <= {ROWS + 2 * n}')
    t, c = time.time(), s.cpu()
    for row in rows:
        i, e = row.split('|')
        s.p.stdin.write(f"INSERT INTO {table} VALUES ({i}, '{e}');\n")
    s.ask('SELECT 1')
    one = time.time() - t, s.cpu() - c
    s.ask(f'DELETE FROM {table} WHERE id > {ROWS}')
    return many, one, n


def run(out):
    s = Session()
    data = np.load(f'{out}/bench.npz')
    rounds, seconds = int(os.environ.get('ROUNDS', 3)), int(os.environ.get('SECONDS_EACH', 5))
    print(f'{ROWS} x {DIM}, {QUERIES} hard queries, cosine, k = 10; {s.ask("SELECT version()")[0][:16]}; {load()}', flush=True)
    s.ask('SET client_min_messages = warning; SET maintenance_work_mem = \'1GB\'; SET enable_seqscan = off')
    for table, kind in (('flat', 'embedding'), ('hnsw', 'vector')):
        for part, file in (('', 'rows'), ('extra_', 'extra'), ('queries_', 'queries')):
            s.ask(f'CREATE TABLE {part}{table} (id int, e {kind}({DIM}))')
            s.ask(f'ALTER TABLE {part}{table} ALTER e SET STORAGE PLAIN')
            s.ask(f"COPY {part}{table} FROM '{out}/{file}.tsv'")
        s.ask(f'CREATE INDEX ON queries_{table} (id); VACUUM ANALYZE {table}; VACUUM ANALYZE queries_{table}')
    s.ask('SET max_parallel_maintenance_workers = 0')
    built = {}
    for table, clause in (('flat', 'nlp_flat (e embedding_cosine_ops)'), ('hnsw', 'hnsw (e vector_cosine_ops)')):
        built[table] = s.timed(f'CREATE INDEX {table}_e ON {table} USING {clause}')
        size = int(s.ask(f"SELECT pg_relation_size('{table}_e')")[0])
        print('build, one process, %s: %.2f s wall, %.2f s CPU, %.0f MB; %s' % (table, *built[table], size / 1e6, load()), flush=True)
    print('  nlp_flat is %.0f x as fast in wall time, %.0f x in CPU' % tuple(built['hnsw'][i] / built['flat'][i] for i in (0, 1)), flush=True)
    truth = exact(data['x'], data['q'])
    r = recall(s, 'flat', truth)
    print(f'nlp_flat: recall@10 {r:.4f}, {cpu_of_search(s, "flat"):.2f} ms CPU a query; {load()}', flush=True)
    efs = [int(v) for v in os.environ.get('EFS', '40,200,600,1000').split(',')]
    for ef in efs:
        s.ask(f'SET hnsw.ef_search = {ef}')
        print(f'hnsw ef_search {ef}: recall@10 {recall(s, "hnsw", truth):.4f}, {cpu_of_search(s, "hnsw"):.2f} ms CPU a query; {load()}', flush=True)
    rates = {'flat': []}
    for _ in range(rounds):
        rates['flat'].append(rate(out, 'flat', seconds))
        for ef in efs:
            rates.setdefault(ef, []).append(rate(out, 'hnsw', seconds, f'-c enable_seqscan=off -c hnsw.ef_search={ef}'))
    for key, values in rates.items():
        v = float(np.median(values))
        print(f'{"nlp_flat" if key == "flat" else f"hnsw ef_search {key}"}: {v:.0f} queries/s, one client (median of {rounds} in turn: '
              f'{", ".join(f"{x:.0f}" for x in values)}); nlp_flat is {np.median(rates["flat"]) / v:.2f} x', flush=True)
    for table in ('flat', 'hnsw'):
        s.ask('SET synchronous_commit = off')
        many, one, n = inserts(s, table)
        print(f'inserts/s, {table}: {n / many[0]:.0f} in one statement ({n / many[1]:.0f} a CPU second), '
              f'{n / one[0]:.0f} one by one ({n / one[1]:.0f}); {load()}', flush=True)
    s.ask('SET max_parallel_workers_per_gather = 0; SET enable_indexscan = off; SET enable_seqscan = on')
    for table in ('flat', 'hnsw'):
        print(f'exact scan of the table, {"embedding" if table == "flat" else "vector"}: {cpu_of_search(s, table, 5):.0f} ms CPU; {load()}', flush=True)


if __name__ == '__main__':
    if len(sys.argv) >= 3 and sys.argv[1] == 'make':
        make(sys.argv[2], sys.argv[3])
    elif len(sys.argv) == 3 and sys.argv[1] == 'run':
        run(sys.argv[2])
    else:
        sys.exit(__doc__)
