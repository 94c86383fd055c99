/* The programs at the far end of a measurement, with the files that they want. None keeps anything or asks who is there. */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  FIRST_FLOW_PORT,
  FLOWS,
  IPERF3_PORT,
  NGINX_PORT,
  REDIS_PORT,
  SECOND_IPERF3_PORT,
  SOCKPERF_PORT,
} from './ports.js';
import type { Tool } from './tools.js';

export const SERVER_NAMES = ['iperf3', 'sockperf', 'sockperf-flows', 'nginx', 'redis'] as const;
export type ServerName = (typeof SERVER_NAMES)[number];

export interface ServerProgram {
  argv: string[];
  protocol: 'tcp' | 'udp';
  /** The last one that it opens. */
  port: number;
}

export const SERVER_TOOLS: Record<ServerName, Tool> = {
  iperf3: 'iperf3',
  sockperf: 'sockperf',
  'sockperf-flows': 'sockperf',
  nginx: 'nginx',
  redis: 'redis-server',
};

/** @param directory its own, for files */
export function serverPrograms(name: ServerName, directory: string): ServerProgram[] {
  const tcp = (port: number, line: string): ServerProgram => ({
    argv: line.split(' '),
    protocol: 'tcp',
    port,
  });
  switch (name) {
    case 'iperf3':
      return [IPERF3_PORT, SECOND_IPERF3_PORT].map((port) => tcp(port, `iperf3 -s -p ${port}`));
    case 'sockperf':
      return [
        tcp(SOCKPERF_PORT, `sockperf sr --tcp -p ${SOCKPERF_PORT}`),
        { ...tcp(SOCKPERF_PORT, `sockperf sr -p ${SOCKPERF_PORT}`), protocol: 'udp' },
      ];
    case 'sockperf-flows':
      return [tcp(FIRST_FLOW_PORT + FLOWS - 1, `sockperf sr -F epoll -f ${writeFlows(directory)}`)];
    case 'nginx':
      writeSite(directory);
      return [tcp(NGINX_PORT, `nginx -e stderr -p ${directory} -c nginx.conf`)];
    case 'redis':
      return [tcp(REDIS_PORT, redisLine(directory))];
  }
}

function writeFlows(directory: string): string {
  const file = path.join(directory, 'flows');
  const lines = Array.from({ length: FLOWS }, (_, flow) => `T:0.0.0.0:${FIRST_FLOW_PORT + flow}\n`);
  writeFileSync(file, lines.join(''));
  return file;
}

function redisLine(directory: string): string {
  return `redis-server --port ${REDIS_PORT} --dir ${directory} --appendonly no --protected-mode no --save ${''}`;
}

/** One process, which a signal ends whole; answers of 1 and 1024 bytes from files, nothing logged. */
function writeSite(directory: string): void {
  mkdirSync(path.join(directory, 'www'));
  writeFileSync(path.join(directory, 'www', '1'), 'x');
  writeFileSync(path.join(directory, 'www', '1k'), 'x'.repeat(1024));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  writeFileSync(
    path.join(directory, 'nginx.conf'),
    `daemon off;
master_process off;
pid ${directory}/nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off;
  keepalive_requests 1000000000;
${temporary.map((name) => `  ${name}_temp_path ${directory}/nginx-${name};`).join('\n')}
  server {
    listen ${NGINX_PORT};
    root ${directory}/www;
  }
}
`,
  );
}
