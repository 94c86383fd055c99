import { labDemo } from '../../demo.js';
import * as lab from '../../lab/commands.js';
import { print, printJson } from '../../output/print.js';
import { type Column, formatTable } from '../../output/table.js';
import type { LabFlags, LabStatusFlags, LabUpFlags } from '../lab.js';

const columns: Column<lab.LabMember>[] = [
  { title: 'NAME', text: ({ name }) => name },
  { title: 'KIND', text: ({ kind }) => kind },
  { title: 'ADDRESS', text: ({ address }) => address ?? '-' },
  { title: 'NETNS', text: ({ netns }) => netns },
  { title: 'STATE', text: ({ running }) => (running === null ? '-' : running ? 'running' : 'stopped') },
  { title: 'PID', text: ({ pid }) => (pid === null ? '-' : String(pid)), align: 'right' },
];

export async function up({ nodes, managers, lab: name }: LabUpFlags): Promise<void> {
  const { members } = await lab.labUp({ nodes, managers, name });
  print(formatTable(columns, members));
}

/** The program's exit code is ours. */
export async function exec(member: string, argv: string[], { lab: name }: LabFlags): Promise<void> {
  process.exitCode = await lab.labExec(member, argv, name);
}

export async function status({ lab: name, format }: LabStatusFlags): Promise<void> {
  const found = await lab.labStatus(name);
  if (format === 'json') printJson(found);
  else print(formatTable(columns, found.members));
}

export async function down({ lab: name }: LabFlags): Promise<void> {
  await lab.labDown(name);
}

export async function demo(): Promise<void> {
  await labDemo();
}
