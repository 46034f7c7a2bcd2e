// Operations -> records of the kernels, cut into segments of one arena each. When an operation stands in another arena than its input,
// the activations are copied there between two segments (a few KiB in decode), and no one else knows.

import { invariant } from '../../core/errors.ts';
import type { BackendPlan, BufferId, Op, WeightId } from '../backend.ts';
import type { KernelBuild } from './builds.ts';
import { cacheTypes } from './cache.ts';
import { matrixFormat, packRows, panelBytes, panelCount, quantForm } from './formats.ts';
import { linkRecords } from './link.ts';
import { placeOf, type Layout } from './layout.ts';
import { items, opcodes, real, type ProgramRecord } from './records.ts';
import { strideOf } from './scratch.ts';

/** Activations to bring over before a segment starts. */
export interface Transfer {
  readonly from: number;
  readonly to: number;
  readonly offset: number;
  readonly stride: number;
  readonly rows: 'tokens' | 'outputs';
}

export interface Segment {
  readonly arena: number;
  readonly transfers: readonly Transfer[];
  readonly records: readonly ProgramRecord[];
}

/** Panels that a thread takes at once, one chunk behind the other: so few that the threads end together. */
function panelChunk(panels: number, threads: number): number {
  return Math.max(1, Math.min(8, Math.floor(panels / (threads * 16))));
}

const smallNames = new Map<number, string>(Object.entries(opcodes).map(([name, opcode]) => [opcode, name]));

export interface EncodedProgram {
  readonly segments: readonly Segment[];
  /** Arena in which the logits end. */
  readonly logitsArena: number;
}

export function encodeProgram(plan: BackendPlan, layout: Layout, threads: number, build: KernelBuild): EncodedProgram {
  return new Encoder(plan, layout, threads, build).encode();
}

class Encoder {
  readonly #plan: BackendPlan;
  readonly #layout: Layout;
  readonly #threads: number;
  readonly #build: KernelBuild;
  readonly #segments: { arena: number; transfers: Transfer[]; records: ProgramRecord[] }[] = [];
  /** Arenas that hold the present value of a buffer. */
  readonly #valid = new Map<BufferId, Set<number>>();
  /** Quantized forms that are up to date, by buffer: `arena:form`. */
  readonly #quantized = new Map<BufferId, Set<string>>();
  #arena = -1;

  constructor(plan: BackendPlan, layout: Layout, threads: number, build: KernelBuild) {
    this.#plan = plan;
    this.#layout = layout;
    this.#threads = threads;
    this.#build = build;
  }

  encode(): EncodedProgram {
    for (const op of this.#plan.program.ops) {
      this.#enter(this.#arenaOf(op), inputsOf(op));
      this.#append(op);
    }
    const arenas = this.#valid.get(this.#plan.program.logits);
    invariant(arenas !== undefined, 'the program writes the logits');
    const [logitsArena] = arenas;
    const segments = this.#segments.map((segment) => ({ ...segment, records: linkRecords(segment.records) }));
    return { segments, logitsArena };
  }

  #arenaOf(op: Op): number {
    const layer = placeOf(this.#plan, op);
    if (layer === undefined) return this.#arena;
    if (op.op === 'embed') return this.#home(op.table);
    if (op.op === 'linear') return this.#home(op.weight);
    const cache = this.#layout.caches.get(layer);
    invariant(cache !== undefined, `layer ${layer} has a cache`);
    return cache.arena;
  }

  #home(weight: WeightId): number {
    const arena = this.#layout.home.get(weight);
    invariant(arena !== undefined, 'every matrix has an arena');
    return arena;
  }

  /** Goes to an arena and brings along what the next operation reads. */
  #enter(arena: number, inputs: readonly BufferId[]): void {
    const transfers: Transfer[] = [];
    for (const id of inputs) {
      const valid = this.#valid.get(id);
      invariant(valid !== undefined, 'a buffer is written before it is read');
      if (valid.has(arena)) continue;
      const { rows, cols } = this.#plan.program.buffers[id];
      const [from] = valid;
      transfers.push({ from, to: arena, offset: this.#at(id), stride: strideOf(cols), rows });
      valid.add(arena);
    }
    if (arena !== this.#arena || transfers.length > 0) this.#segments.push({ arena, transfers, records: [] });
    this.#arena = arena;
  }

  #wrote(id: BufferId): void {
    this.#valid.set(id, new Set([this.#arena]));
    this.#quantized.delete(id);
  }

  #at(id: BufferId): number {
    return this.#layout.activations + this.#layout.scratch.buffers[id];
  }

  #stride(id: BufferId): number {
    return strideOf(this.#plan.program.buffers[id].cols);
  }

  #pointer(id: WeightId): number {
    const pointer = this.#layout.pointers.get(`${this.#arena}:${id}`);
    invariant(pointer !== undefined, 'a weight lies in every arena that uses it');
    return pointer;
  }

  /** The table of a type of matrices; 0: it has none. */
  #table(table: Uint8Array | undefined): number {
    if (table === undefined) return 0;
    const pointer = this.#layout.tables[this.#arena].get(table);
    invariant(pointer !== undefined, 'the table of a type lies in every arena that holds such a matrix');
    return pointer;
  }

  #emit(
    opcode: number,
    count: { kind: number; factor?: number; chunk: number },
    operands: readonly number[],
    cost: { label: string; weightBytes: number; multiplications: number } = {
      label: smallNames.get(opcode) ?? '',
      weightBytes: 0,
      multiplications: 0,
    },
  ): void {
    const segment = this.#segments[this.#segments.length - 1];
    const { kind, factor = 1, chunk } = count;
    segment.records.push({ opcode, items: kind, factor, chunk, operands, ...cost });
  }

  #rows(id: BufferId): number {
    return this.#plan.program.buffers[id].rows === 'tokens' ? items.tokens : items.outputs;
  }

  #append(op: Op): void {
    switch (op.op) {
      case 'embed': {
        const { dtype, name, cols } = this.#plan.weights[op.table];
        const { opcode, table: lookup } = matrixFormat(dtype, name);
        const table = this.#pointer(op.table);
        this.#emit(opcodes.embed, { kind: items.tokens, chunk: 8 }, [
          table,
          panelBytes(dtype, cols),
          cols,
          this.#at(op.out),
          this.#stride(op.out),
          real(op.scale),
          opcode,
          this.#table(lookup),
        ]);
        return this.#wrote(op.out);
      }
      case 'rmsNorm': {
        const { cols } = this.#plan.program.buffers[op.x];
        this.#emit(opcodes.rmsNorm, { kind: this.#rows(op.x), chunk: 4 }, [
          this.#at(op.x),
          this.#stride(op.x),
          this.#pointer(op.weight),
          op.width,
          cols / op.width,
          real(op.eps),
          this.#at(op.out),
        ]);
        return this.#wrote(op.out);
      }
      case 'linear':
        return this.#linear(op);
      case 'add':
        this.#emit(opcodes.add, { kind: this.#rows(op.x), chunk: 8 }, [
          this.#at(op.x),
          this.#at(op.y),
          this.#at(op.out),
          this.#stride(op.out),
        ]);
        return this.#wrote(op.out);
      case 'gate':
        this.#emit(opcodes.gate, { kind: this.#rows(op.up), chunk: 2 }, [
          this.#at(op.gate),
          this.#at(op.up),
          this.#at(op.out),
          this.#stride(op.out),
          op.activation === 'silu' ? 0 : 1,
        ]);
        return this.#wrote(op.out);
      case 'rope':
        this.#emit(opcodes.rope, { kind: items.tokens, chunk: 4 }, [
          this.#at(op.x),
          this.#stride(op.x),
          op.heads,
          op.headDim,
          op.dims,
          op.layout === 'adjacent' ? 0 : 1,
          this.#pointer(op.table),
        ]);
        return this.#wrote(op.x);
      case 'store': {
        const { keys, values } = this.#cache(op.layer);
        const { kvHeads, headDim } = this.#kv(op.layer);
        this.#emit(opcodes.store, { kind: items.tokens, chunk: 4 }, [
          this.#at(op.k),
          this.#stride(op.k),
          this.#at(op.v),
          this.#stride(op.v),
          kvHeads,
          headDim,
          keys,
          values,
          cacheTypes[this.#plan.kvCache].code,
        ]);
        return undefined;
      }
      case 'attention': {
        const { keys, values } = this.#cache(op.layer);
        const operands = [
          this.#at(op.q),
          this.#stride(op.q),
          this.#at(op.out),
          this.#stride(op.out),
          op.heads,
          op.kvHeads,
          op.headDim,
          keys,
          values,
          real(op.scale),
          op.window,
          real(op.softcap),
          op.sinks === undefined ? 0 : this.#pointer(op.sinks),
          cacheTypes[this.#plan.kvCache].code,
          this.#layout.partials,
        ];
        this.#emit(opcodes.attention, { kind: items.packs, factor: op.heads / op.kvHeads, chunk: 1 }, operands);
        if (this.#layout.maxSplits > 1) {
          this.#emit(opcodes.merge, { kind: items.splits, factor: op.heads, chunk: 4 }, operands);
        }
        return this.#wrote(op.out);
      }
      case 'select':
        this.#emit(opcodes.select, { kind: items.outputs, chunk: 8 }, [
          this.#at(op.x),
          this.#stride(op.x),
          this.#at(op.out),
        ]);
        return this.#wrote(op.out);
    }
  }

  #linear(op: Extract<Op, { op: 'linear' }>): void {
    const weight = this.#plan.weights[op.weight];
    const format = matrixFormat(weight.dtype, weight.name);
    const rows = this.#rows(op.x);
    const form = quantForm(format, this.#build);
    let input = this.#at(op.x);
    let records = 0;
    if (form !== undefined) {
      const place = this.#layout.scratch.quants.get(`${op.x}:${form}`);
      invariant(place !== undefined, 'every quantized form of an input has its place');
      const quants = this.#layout.activations + place.quants;
      records = this.#layout.activations + place.records;
      const done = this.#quantized.get(op.x) ?? new Set();
      if (!done.has(`${this.#arena}:${form}`)) {
        const operands = [input, this.#stride(op.x), weight.cols, quants, records, form === 'i16' ? 2 : 1];
        this.#emit(opcodes.quantize, { kind: rows, chunk: packRows(this.#build) }, operands);
        this.#quantized.set(op.x, done.add(`${this.#arena}:${form}`));
      }
      input = quants;
    }
    const panels = panelCount(weight.rows);
    const operands = [
      input,
      this.#stride(op.x),
      records,
      this.#pointer(op.weight),
      weight.cols,
      this.#at(op.out),
      this.#stride(op.out),
      rows,
      panelBytes(weight.dtype, weight.cols),
      this.#table(format.table),
    ];
    const cost = {
      label: `${weight.name.replace(/^blk\.\d+\./u, '').replace(/\.weight$/u, '')} ${weight.dtype} ${weight.rows}x${weight.cols}`,
      weightBytes: panels * panelBytes(weight.dtype, weight.cols),
      multiplications: weight.rows * weight.cols,
    };
    this.#emit(
      format.opcode,
      { kind: items.fixed, factor: panels, chunk: panelChunk(panels, this.#threads) },
      operands,
      cost,
    );
    this.#wrote(op.out);
    if (op.bias === undefined) return;
    this.#emit(opcodes.bias, { kind: rows, chunk: 8 }, [
      this.#at(op.out),
      this.#stride(op.out),
      this.#pointer(op.bias),
    ]);
  }

  #cache(layer: number): { keys: number; values: number } {
    const cache = this.#layout.caches.get(layer);
    invariant(cache !== undefined, `layer ${layer} has a cache`);
    return cache;
  }

  #kv(layer: number): { kvHeads: number; headDim: number } {
    const kv = this.#plan.kvLayers.find((candidate) => candidate.layer === layer);
    invariant(kv !== undefined, `layer ${layer} keeps keys and values`);
    return kv;
  }
}

function inputsOf(op: Op): BufferId[] {
  switch (op.op) {
    case 'embed':
      return [];
    case 'rmsNorm':
    case 'linear':
    case 'select':
    case 'rope':
      return [op.x];
    case 'add':
      return [op.x, op.y];
    case 'gate':
      return [op.gate, op.up];
    case 'store':
      return [op.k, op.v];
    case 'attention':
      return [op.q];
  }
}
