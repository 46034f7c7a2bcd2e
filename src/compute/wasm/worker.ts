// A compute thread: first takes load jobs, then runs the program each time the main thread asks, and sleeps in between.

import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { invariant } from '../../core/errors.ts';
import { rowBytes } from '../../tensor/dtype.ts';
import { control } from './arena.ts';
import { matrixFormat, panelCount, filePanelBytes } from './formats.ts';
import { instantiate, type Kernels } from './kernels.ts';
import type { LoadJob } from './load.ts';
import { links, recordBytes } from './records.ts';
import type { FromWorker, PlacedSegment, ToWorker, WorkerSetup } from './pool.ts';
import type { Transfer } from './program.ts';

const setup = workerData as WorkerSetup;
const kernels = setup.memories.map((memory) => instantiate(setup.module, memory));
const words = new Int32Array(setup.memories[0].buffer, 0, 1024);
const bytes = setup.memories.map((memory) => new Uint8Array(memory.buffer));

/** The next decode step usually comes while a thread still looks. */
const spins = words[control.spins / 4];

const recordCount = setup.segments.reduce((sum, { count }) => sum + count, 0);
const times = setup.times === undefined ? undefined : new Float64Array(setup.times);

invariant(parentPort !== null, 'worker.ts runs as a worker thread');
const port = parentPort;

port.on('message', (message: ToWorker) => {
  if (message.type === 'compute') return computeForever();
  try {
    loadAll(message.jobs);
    port.postMessage({ type: 'loaded' } satisfies FromWorker);
  } catch (error) {
    port.postMessage({
      type: 'failed',
      message: error instanceof Error ? error.message : String(error),
    } satisfies FromWorker);
  }
});

function loadAll(jobs: readonly LoadJob[]): void {
  const files = new Map<string, number>();
  try {
    for (;;) {
      const index = Atomics.add(words, control.nextJob / 4, 1);
      if (index >= jobs.length) return;
      loadOne(jobs[index], files);
      Atomics.add(words, control.loadedKib / 4, Math.ceil(fileBytes(jobs[index]) / 1024));
    }
  } finally {
    for (const file of files.values()) closeSync(file);
  }
}

function loadOne(job: LoadJob, files: Map<string, number>): void {
  const { pack } = matrixFormat(job.dtype, job.name);
  const start = pack === undefined ? job.target : setup.staging + setup.thread * setup.stagingBytes;
  const panels = panelCount(job.rows);
  const area = bytes[job.arena].subarray(start, start + panels * filePanelBytes(job.dtype, job.cols));
  const wanted = fileBytes(job);
  area.fill(0, wanted);
  const { source } = job;
  if ('values' in source) {
    area.set(new Uint8Array(source.values.buffer, source.values.byteOffset, wanted));
  } else {
    let file = files.get(source.file);
    if (file === undefined) files.set(source.file, (file = openSync(source.file, 'r')));
    for (let done = 0; done < wanted;) {
      const read = readSync(file, area, done, wanted - done, source.offset + done);
      if (read === 0) throw new Error(`${source.file} ended while ${job.name} was read: the file changed or was cut`);
      done += read;
    }
  }
  pack?.(kernels[job.arena], start, job.target, panels, job.cols);
}

function fileBytes(job: LoadJob): number {
  return job.rows * rowBytes(job.dtype, job.cols);
}

function computeForever(): never {
  let run = 0;
  for (;;) {
    run = nextRun(run);
    for (const segment of setup.segments) runSegment(segment);
    // Whoever reads the times after `done` finds those of every thread.
    if (times !== undefined) kernels[0].barrier(control.sync, setup.threads, 0);
    if (setup.thread === 0) {
      Atomics.store(words, control.done / 4, run);
      Atomics.notify(words, control.done / 4);
    }
  }
}

function nextRun(last: number): number {
  const go = control.go / 4;
  for (let i = 0; i < spins; i++) {
    const run = Atomics.load(words, go);
    if (run !== last) return run;
  }
  for (;;) {
    Atomics.wait(words, go, last);
    const run = Atomics.load(words, go);
    if (run !== last) return run;
  }
}

function runSegment(segment: PlacedSegment): void {
  const kernel: Kernels = kernels[segment.arena];
  if (segment.transfers.length > 0) {
    if (setup.thread === 0) for (const transfer of segment.transfers) copy(transfer);
    kernel.barrier(control.sync, setup.threads, 0);
  }
  const scratch = setup.scratch + setup.thread * setup.scratchBytes;
  if (times === undefined) {
    kernel.run(segment.records, segment.count, setup.header, control.sync, setup.threads, setup.thread, scratch);
  } else {
    runTimed(kernel, segment, scratch, times);
  }
}

/** The same, one stage after the other, each with its time and a barrier. */
function runTimed(kernel: Kernels, segment: PlacedSegment, scratch: number, notes: Float64Array): void {
  let before = performance.now();
  let stage = 0;
  for (const [index, link] of segment.links.entries()) {
    if (link === links.joined) continue;
    const count = index + 1 - stage;
    const records = segment.records + stage * recordBytes;
    kernel.work(records, count, setup.header, control.counters, setup.threads, setup.thread, scratch);
    const worked = performance.now();
    kernel.barrier(control.sync, setup.threads, 1);
    const after = performance.now();
    const at = 2 * (setup.thread * recordCount + segment.first + stage);
    notes[at] += worked - before;
    notes[at + 1] += after - worked;
    before = after;
    stage = index + 1;
  }
}

function copy({ from, to, offset, stride, rows }: Transfer): void {
  const header = new Uint32Array(setup.memories[from].buffer, setup.header, 2);
  const size = stride * (rows === 'tokens' ? header[0] : header[1]);
  bytes[to].set(bytes[from].subarray(offset, offset + size), offset);
}
