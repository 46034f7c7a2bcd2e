// What both completion dialects need to write log probabilities.

/** JSON has no infinities; the published document writes so of what is ruled out. */
const ruledOut = -9999;

export function finite(logprob: number | undefined): number {
  return logprob !== undefined && Number.isFinite(logprob) ? logprob : ruledOut;
}
