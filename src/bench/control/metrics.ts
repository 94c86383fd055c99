/* What etcd says of its own work, from the text of its /metrics. Pure. */

/** Sums of series, by the name of the metric and what the labels must be. */
export class Metrics {
  readonly #series: readonly { name: string; labels: string; value: number }[];

  constructor(text: string) {
    this.#series = text.split('\n').flatMap((line) => {
      const match = /^([a-z_]\w*)(?:\{(.*)\})? (\S+)$/i.exec(line);
      return match?.[1] === undefined
        ? []
        : [{ name: match[1], labels: match[2] ?? '', value: Number(match[3]) }];
    });
  }

  /** 0 where there is no such series: some appear with their first event. */
  sum(name: string, ...labels: readonly string[]): number {
    return this.#series
      .filter((each) => each.name === name && labels.every((label) => each.labels.includes(label)))
      .reduce((sum, { value }) => sum + value, 0);
  }
}

export interface EtcdLoad {
  /** Calls per second, by kind. */
  readonly requests: Readonly<Record<'txn' | 'range' | 'lease', number>>;
  /** Events sent to watchers per second. */
  readonly eventsPerSecond: number;
  readonly watchers: number;
  readonly watchStreams: number;
  /** Per second of time, in seconds of one core. */
  readonly cpu: number;
  readonly residentBytes: number;
  readonly databaseBytes: number;
  /** Mean time of writing the log to the disk, ms. */
  readonly fsyncMs: number;
}

export function etcdLoad(before: Metrics, after: Metrics, seconds: number): EtcdLoad {
  const grew = (name: string, ...labels: string[]): number =>
    after.sum(name, ...labels) - before.sum(name, ...labels);
  const calls = (method: string): number => grew('grpc_server_started_total', `grpc_method="${method}"`);
  const fsync = 'etcd_disk_wal_fsync_duration_seconds';
  const fsyncs = grew(`${fsync}_count`);
  return {
    requests: {
      txn: calls('Txn') / seconds,
      range: calls('Range') / seconds,
      lease: (calls('LeaseKeepAlive') + calls('LeaseGrant')) / seconds,
    },
    eventsPerSecond: grew('etcd_debugging_mvcc_events_total') / seconds,
    watchers: after.sum('etcd_debugging_mvcc_watcher_total'),
    watchStreams: after.sum('etcd_debugging_mvcc_watch_stream_total'),
    cpu: grew('process_cpu_seconds_total') / seconds,
    residentBytes: after.sum('process_resident_memory_bytes'),
    databaseBytes: after.sum('etcd_mvcc_db_total_size_in_bytes'),
    fsyncMs: fsyncs === 0 ? 0 : (grew(`${fsync}_sum`) / fsyncs) * 1000,
  };
}
