// Who listens on a port: Linux names the socket in /proc/net/tcp (proc(5)) and its holder by the links in /proc/PID/fd. Only processes
// that we may look into are found; elsewhere nobody is.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface PortOwner {
  readonly pid: number;
  /** Name of the program, as `node`. */
  readonly name: string;
}

export function portOwner(port: number): PortOwner | undefined {
  try {
    const sockets = new Set([...listeners('/proc/net/tcp', port), ...listeners('/proc/net/tcp6', port)]);
    if (sockets.size === 0) return undefined;
    const pid = readdirSync('/proc').find((entry) => /^\d+$/.test(entry) && holds(entry, sockets));
    if (pid === undefined) return undefined;
    return { pid: Number(pid), name: readFileSync(`/proc/${pid}/comm`, 'utf8').trim() };
  } catch {
    return undefined;
  }
}

/** State of a listening socket. */
const listening = '0A';

/** `socket:[inode]` of those that listen on the port. Columns: number, local address:port in hex, remote, state, ..., inode. */
function listeners(table: string, port: number): string[] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return read(table)
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => state === listening && local.endsWith(suffix))
    .map((columns) => `socket:[${columns[9]}]`);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function holds(pid: string, sockets: ReadonlySet<string>): boolean {
  try {
    const folder = `/proc/${pid}/fd`;
    return readdirSync(folder).some((descriptor) => sockets.has(linkOf(`${folder}/${descriptor}`)));
  } catch {
    // Another user's process, or one that has just ended.
    return false;
  }
}

/** Descriptors come and go while we look. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
