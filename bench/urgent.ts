// Who measures goes first: on a machine whose cores all compute, waiting for a core would be the time of whoever asks, not of the server.

import { constants, setPriority } from 'node:os';

/** For the calling thread. Says whether the system allowed it. */
export function hurry(): boolean {
  // Elsewhere it would be the whole process.
  if (process.platform !== 'linux') return false;
  try {
    setPriority(0, constants.priority.PRIORITY_HIGHEST);
    return true;
  } catch {
    return false;
  }
}

/** For people. */
export function describe(isUrgent: boolean): string {
  return isUrgent ? 'before all others' : 'waits for a core as all others';
}
