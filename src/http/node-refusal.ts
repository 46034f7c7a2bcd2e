// Answers written to a bare socket, for requests that `node:http` could not parse.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Refusal } from './transport.ts';

/** Longest silence of a refused sender before its socket is closed (nginx's lingering_timeout). */
export const lingerIdleMs = 5_000;

/**
 * Writes the answer, closes our side and goes on reading for a while: closing a socket with unread bytes makes the kernel
 * send a reset, and the client would lose the answer.
 */
export function refuseSocket(socket: Socket, status: number, refusal: Refusal, lingerMs: number): void {
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
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), Math.min(lingerMs, lingerIdleMs));
  socket.once('close', () => clearTimeout(timer));
}
