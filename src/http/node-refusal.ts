// Answers written to a bare socket, for requests that `node:http` could not parse.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Refusal } from './transport.ts';

/** How long a refused sender is listened to: in all, and in silence. */
export interface Linger {
  readonly totalMs: number;
  readonly idleMs: number;
}

/**
 * Writes the answer, closes our side and goes on reading for a while: closing a socket with unread bytes makes the kernel
 * send a reset, and the client would lose the answer.
 */
export function refuseSocket(socket: Socket, status: number, refusal: Refusal, linger: Linger): void {
  const body = Buffer.from(refusal.body);
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    `date: ${new Date().toUTCString()}`,
    ...Object.entries(refusal.headers).map(([name, value]) => `${name}: ${value}`),
    `content-length: ${body.length}`,
    'connection: close',
  ];
  socket.on('error', () => socket.destroy());
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`, 'latin1'), body]));
  const giveUp = (): void => void socket.destroy();
  const total = setTimeout(giveUp, linger.totalMs);
  const idle = setTimeout(giveUp, linger.idleMs);
  socket.on('data', () => idle.refresh());
  socket.once('close', () => {
    clearTimeout(total);
    clearTimeout(idle);
  });
}
