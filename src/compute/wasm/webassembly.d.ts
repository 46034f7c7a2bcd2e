// The part of the WebAssembly JavaScript API (W3C, 2.0) that this room uses; TypeScript ships it only with the DOM.

declare namespace WebAssembly {
  class Module {
    constructor(bytes: ArrayBufferView | ArrayBuffer);
  }
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: true });
    readonly buffer: SharedArrayBuffer;
  }
  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Record<string, unknown>;
  }
  class Table {
    get(index: number): unknown;
  }
  class Global {
    value: unknown;
  }
  type Imports = Record<string, Record<string, unknown>>;
  interface WebAssemblyInstantiatedSource {
    readonly instance: Instance;
    readonly module: Module;
  }
  function validate(bytes: ArrayBufferView | ArrayBuffer): boolean;
}
