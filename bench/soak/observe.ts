// What a running server holds: memory and open files as Linux tells them, cache blocks as the server tells them.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { HttpClient } from '../client/http.ts';

export interface ProcessState {
  readonly rssMib: number;
  /** Sockets among the open files. */
  readonly sockets: number;
  readonly files: number;
}

/** `undefined` where there is no such process, or no /proc. */
export function processState(pid: number): ProcessState | undefined {
  try {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    if (kib === undefined) return undefined;
    const files = readdirSync(`/proc/${pid}/fd`).flatMap((name) => linkOf(`/proc/${pid}/fd/${name}`));
    const sockets = files.filter((target) => target.startsWith('socket:')).length;
    return { rssMib: Number(kib) / 1024, sockets, files: files.length };
  } catch {
    return undefined;
  }
}

/** A file may be closed while the folder is read. */
function linkOf(path: string): string[] {
  try {
    return [readlinkSync(path)];
  } catch {
    return [];
  }
}

/** The engine among the children of a server. */
export function enginePidOf(serverPid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${serverPid}/task/${serverPid}/children`, 'utf8').trim().split(' ');
    const engine = children.find((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('engine/host.js'));
    return engine === undefined ? undefined : Number(engine);
  } catch {
    return undefined;
  }
}

export interface EngineLoad {
  /** Of the blocks of the key and value cache, those that running requests hold: 0..1. */
  readonly blocks: number;
  readonly running: number;
  readonly waiting: number;
  /** Prompt tokens that were read from disk, since the server began. */
  readonly diskTokens: number;
}

/** From `/metrics`, under vLLM's names or with our own prefix; `undefined` where there are none. */
export async function engineLoad(client: HttpClient): Promise<EngineLoad | undefined> {
  const { status, text } = await client.send({ method: 'GET', path: '/metrics' });
  return status === 200 ? readEngineLoad(text) : undefined;
}

/** Several models count together. */
export function readEngineLoad(text: string): EngineLoad | undefined {
  const read = (name: string): number | undefined => {
    const lines = [...text.matchAll(new RegExp(`^(?:vllm:|tramontane_)${name}(?:\\{[^\\n]*\\})? (\\S+)`, 'gm'))];
    return lines.length === 0 ? undefined : lines.reduce((sum, [, value]) => sum + Number(value), 0);
  };
  const [blocks, running, waiting] = ['kv_cache_usage_perc', 'num_requests_running', 'num_requests_waiting'].map(read);
  const diskTokens = read('external_prefix_cache_hits_total') ?? 0;
  return blocks === undefined || running === undefined || waiting === undefined
    ? undefined
    : { blocks, running, waiting, diskTokens };
}
