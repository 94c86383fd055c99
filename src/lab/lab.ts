/*
 * Hosts of a cluster as network namespaces of one machine: a switch, etcd, and an agent per host, started by the
 * command that a person would type. What a lab is and what runs in it is on disk, so any process may open it.
 */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { AgentClient } from '../client.js';
import { inUrl } from '../cluster/membership-file.js';
import { InvalidInput, NotFound, PlaitError } from '../model/errors.js';
import { pathsFor } from '../model/paths.js';
import { run } from '../net/run.js';
import { patience } from '../patience.js';
import { ExecFailed, type Invocation, inContainer, Job, type Outcome, onHost } from './exec.js';
import { type Daemon, daemonOf, isRunning, signal, startDaemon, stopDaemon } from './processes.js';
import { agentCommand, CLI, etcdCommand, etcdHealthCommand, initLine, joinLine } from './programs.js';
import { emptyState, hasState, type LabState, readState, writeState } from './state.js';
import {
  ETCD_URL,
  type Host,
  type LabSpec,
  MAX_NODES,
  namespacePath,
  nodesOf,
  outsideOf,
  plainHostsOf,
  stateDir,
} from './topology.js';
import { buildContainer, buildUnderlay, namespacesOf, removeUnderlay } from './underlay.js';
import { waitFor } from './wait.js';

export interface LabOptions {
  name?: string;
  nodes?: number;
  managers?: number;
  /** As `plait init --cert-expiry` has it. */
  certExpiry?: string;
  plainHosts?: string[];
  ipv6Underlay?: boolean;
  mtu?: number;
  /** Told of each step as it begins. */
  progress?: (step: string) => void;
}

export interface ExecOptions {
  /** Milliseconds after which the program is killed; 60 s. */
  timeout?: number;
}

const START_TIMEOUT_MS = 15_000;
const EXEC_TIMEOUT_MS = 60_000;
/** Short enough for namespace names, and for the path of a socket below the state directory. */
const NAME = /^[a-z0-9][a-z0-9-]{0,23}$/;

export class Lab {
  readonly spec: LabSpec;
  /** Commands run so far and what they said, for the report of a failed test. */
  readonly transcript: string[] = [];
  static readonly #removals = new Map<string, Promise<void>>();
  readonly #state: LabState;

  private constructor(state: LabState) {
    this.#state = state;
    this.spec = state.spec;
  }

  /** Builds a lab and waits until its agents answer. What a failure leaves is removed again. */
  static async up(options: LabOptions = {}): Promise<Lab> {
    const spec = specOf(options);
    const progress = options.progress ?? (() => {});
    if (hasState(spec.name) || namespacesOf(spec.name).length > 0) {
      throw new PlaitError('LAB_EXISTS', `start lab ${spec.name}: it is up already`, {
        hint: `run \`plait lab down --lab ${spec.name}\` first`,
      });
    }
    const lab = new Lab(emptyState(spec));
    try {
      progress(`building ${spec.nodes} host(s) as network namespaces`);
      lab.#prepareFiles();
      await buildUnderlay(spec);
      if (spec.managers > 0) await lab.#makeCluster(progress);
      else await lab.#startWithEtcd(progress);
      return lab;
    } catch (error) {
      await lab.down();
      throw error;
    }
  }

  static open(name = 'lab'): Lab {
    const state = readState(name);
    if (!state) throw new NotFound('lab', name);
    return new Lab(state);
  }

  /**
   * Removes a lab by its name, whatever state it is in. Nothing happens when there is none; one removal at a time, so
   * that an interruption and the failure that it causes do not undo the same things.
   */
  static async remove(name = 'lab'): Promise<void> {
    const removal = (Lab.#removals.get(name) ?? Promise.resolve()).then(() => remove(name));
    const settled = removal.catch(() => {});
    Lab.#removals.set(name, settled);
    await removal;
  }

  async down(): Promise<void> {
    await Lab.remove(this.spec.name);
  }

  get nodes(): Host[] {
    return nodesOf(this.spec);
  }

  get plainHosts(): Host[] {
    return plainHostsOf(this.spec);
  }

  get outside(): Host {
    return outsideOf(this.spec);
  }

  get etcdUrl(): string {
    return ETCD_URL;
  }

  get containers(): readonly string[] {
    return this.#state.containers;
  }

  node(name: string): Host {
    const found = this.nodes.find((node) => node.name === name);
    if (!found) throw new NotFound('node', name);
    return found;
  }

  /** Directory that `--root` gave to a node's agent. */
  root(node: string): string {
    return path.join(stateDir(this.spec.name), node);
  }

  log(daemon: string): string {
    if (this.spec.managers > 0) return path.join(pathsFor(this.root(daemon)).state, 'agent.log');
    return path.join(stateDir(this.spec.name), `${daemon}.log`);
  }

  /** Adds an empty container and returns the path of its network namespace. */
  async addContainer(name: string): Promise<string> {
    if (!/^[a-z0-9]{1,15}$/.test(name))
      throw new InvalidInput(`add container ${name}: use 1 to 15 letters and digits`);
    this.#state.containers.push(name);
    writeState(this.#state);
    await buildContainer(this.spec, name);
    return namespacePath(this.spec.name, name);
  }

  async removeContainer(name: string): Promise<void> {
    await run('ip', ['netns', 'delete', path.basename(this.netns(name))], {
      doing: `remove container ${name}`,
    });
    this.#state.containers.splice(this.#state.containers.indexOf(name), 1);
    writeState(this.#state);
  }

  netns(member: string): string {
    return namespacePath(this.spec.name, member);
  }

  /** How to run a program as a member: a host's name, `outside`, `underlay`, or a container's. */
  invocation(member: string, argv: readonly string[]): Invocation {
    if (this.#state.containers.includes(member)) {
      return inContainer(this.netns(member), argv, path.join(stateDir(this.spec.name), 'resolv.conf'));
    }
    const known = [...this.nodes, ...this.plainHosts, this.outside].some((host) => host.name === member);
    if (!known && member !== 'underlay') throw new NotFound('member of the lab', member);
    return onHost(this.netns(member), argv, {
      PLAIT_ROOT: this.root(member),
      PATH: `${path.join(stateDir(this.spec.name), 'bin')}:${process.env.PATH ?? ''}`,
    });
  }

  /** Runs a program to its end and returns what it said and how it ended. */
  async try(member: string, argv: readonly string[], options: ExecOptions = {}): Promise<Outcome> {
    const job = new Job(this.invocation(member, argv), patience(options.timeout ?? EXEC_TIMEOUT_MS));
    const outcome = await job.outcome;
    this.transcript.push(
      `${member}# ${argv.join(' ')}\n${outcome.stdout}${outcome.stderr}${outcome.status === 0 ? '' : `[${outcome.status}]\n`}`,
    );
    return outcome;
  }

  /** As `try`, but anything other than exit code 0 is an error. Returns standard output. */
  async exec(member: string, argv: readonly string[], options: ExecOptions = {}): Promise<string> {
    const outcome = await this.try(member, argv, options);
    if (outcome.status !== 0) throw new ExecFailed(`${member}# ${argv.join(' ')}`, outcome);
    return outcome.stdout;
  }

  /** A command line as a person types it, split at spaces; nothing in the lab needs quotes. */
  sh(member: string, line: string, options: ExecOptions = {}): Promise<string> {
    return this.exec(member, line.split(' '), options);
  }

  /** Starts a program that runs beside what follows. */
  start(member: string, line: string): Job {
    this.transcript.push(`${member}# ${line} &\n`);
    return new Job(this.invocation(member, line.split(' ')));
  }

  /** Runs `plait` against a node's agent. */
  plait(node: string, line: string, options: ExecOptions = {}): Promise<string> {
    return this.sh(node, `plait ${line}`, options);
  }

  /** A node's agent by its API, for questions that a program asks. */
  client(node: string): AgentClient {
    return new AgentClient(pathsFor(this.root(node)).socket);
  }

  /** Starts a node's agent and waits until it answers. */
  async startAgent(node: string): Promise<void> {
    this.launchAgent(node);
    await this.waitForAgent(node);
  }

  async killAgent(node: string, name: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const daemon = this.#daemon(node);
    this.transcript.push(`${node}# kill -${name} agent\n`);
    if (name === 'SIGKILL') await signal(daemon, name);
    else await stopDaemon(daemon);
  }

  /** PID of `etcd` or of a node's agent. */
  pid(daemon: string): number {
    return this.#daemon(daemon).pid;
  }

  isUp(daemon: string): boolean {
    const known = this.#state.daemons[daemon];
    return known !== undefined && isRunning(known);
  }

  async waitForAgent(node: string): Promise<void> {
    await waitFor(
      `the agent of ${node} to answer; its log is ${this.log(node)}`,
      async () => {
        if (!this.isUp(node)) throw new Error(`start agent ${node}: it ended at once; see ${this.log(node)}`);
        return this.client(node)
          .get('/v1/status')
          .then(
            () => true,
            () => false,
          );
      },
      START_TIMEOUT_MS,
    );
  }

  async startEtcd(): Promise<void> {
    this.#launch('etcd', 'underlay', etcdCommand(this.spec.name));
    await waitFor('etcd to answer', () => this.#etcdAnswers(), START_TIMEOUT_MS);
  }

  async stopEtcd(): Promise<void> {
    this.transcript.push('underlay# kill etcd\n');
    await stopDaemon(this.#daemon('etcd'));
  }

  async #etcdAnswers(): Promise<boolean> {
    if (!this.isUp('etcd')) throw new Error(`start etcd: it ended at once; see ${this.log('etcd')}`);
    const job = new Job(this.invocation('underlay', etcdHealthCommand()), 2000);
    return (await job.outcome).status === 0;
  }

  /** Starts an agent and does not wait for it. */
  launchAgent(node: string): void {
    const isMember = this.spec.managers > 0;
    this.#launch(node, node, agentCommand(this.node(node), this.root(node), isMember));
  }

  async #startWithEtcd(progress: (step: string) => void): Promise<void> {
    progress('starting etcd');
    await this.startEtcd();
    progress(`starting ${this.spec.nodes} agent(s)`);
    for (const { name } of this.nodes) this.launchAgent(name);
    for (const { name } of this.nodes) await this.waitForAgent(name);
  }

  /** As a person would: `init` on the first host, the printed line on the others. */
  async #makeCluster(progress: (step: string) => void): Promise<void> {
    const [first, ...others] = this.nodes;
    if (first === undefined) return;
    progress(`making a cluster on ${first.name}`);
    await this.sh(first.name, initLine(first, this.spec.certExpiry));
    this.adoptAgent(first.name);
    for (const [index, host] of others.entries()) {
      const role = index + 1 < this.spec.managers ? 'manager' : 'worker';
      progress(`joining ${host.name} as a ${role}`);
      await this.join(host.name, role);
    }
  }

  /** Makes a host a member, by a token of the manager `at`. */
  async join(name: string, role: 'worker' | 'manager' = 'worker', at = 'n1'): Promise<void> {
    const host = [...this.nodes, ...this.plainHosts].find((one) => one.name === name);
    if (host === undefined) throw new NotFound('host of the lab', name);
    const token = (await this.plait(at, `join-token -q ${role}`)).trim();
    await this.sh(name, joinLine(host, token, [inUrl(this.node(at).vtep)]));
    this.adoptAgent(name);
  }

  /** Takes over an agent that `init` or `join` has started, so that it ends with the lab. */
  adoptAgent(name: string): void {
    const { state } = pathsFor(this.root(name));
    const [pid = ''] = readFileSync(path.join(state, 'agent.lock'), 'utf8').split(' ');
    this.#state.daemons[name] = daemonOf(Number(pid));
    writeState(this.#state);
  }

  #launch(name: string, member: string, argv: readonly string[]): void {
    this.transcript.push(`${member}# ${argv.join(' ')} &\n`);
    this.#state.daemons[name] = startDaemon(argv, { netns: this.netns(member), log: this.log(name) });
    writeState(this.#state);
  }

  #daemon(name: string): Daemon {
    const daemon = this.#state.daemons[name];
    if (!daemon) throw new NotFound('process of the lab', name);
    return daemon;
  }

  #prepareFiles(): void {
    const dir = stateDir(this.spec.name);
    mkdirSync(path.join(dir, 'bin'), { recursive: true });
    writeState(this.#state);
    writeFileSync(path.join(dir, 'resolv.conf'), 'nameserver 127.0.0.11\n');
    const plait = path.join(dir, 'bin', 'plait');
    writeFileSync(plait, `#!/bin/sh\nexec "${process.execPath}" "${CLI}" "$@"\n`);
    chmodSync(plait, 0o755);
  }
}

async function remove(name: string): Promise<void> {
  const daemons = Object.values(readState(name)?.daemons ?? {});
  await Promise.all(daemons.map(stopDaemon));
  await removeUnderlay(name);
}

function specOf(options: LabOptions): LabSpec {
  const {
    name = 'lab',
    nodes = 3,
    managers = 0,
    plainHosts = [],
    ipv6Underlay = false,
    mtu = 1500,
  } = options;
  const { certExpiry = '90d' } = options;
  if (!NAME.test(name)) throw new InvalidInput(`start lab ${name}: use 1 to 24 letters, digits and hyphens`);
  if (!Number.isInteger(nodes) || nodes < 0 || nodes > MAX_NODES) {
    throw new InvalidInput(`start lab ${name}: it can have 0 to ${MAX_NODES} nodes`);
  }
  if (!Number.isInteger(managers) || managers < 0 || managers > nodes) {
    throw new InvalidInput(`start lab ${name}: of ${nodes} node(s) not ${managers} can be managers`);
  }
  return { name, nodes, managers, certExpiry, plainHosts, ipv6Underlay, mtu };
}
