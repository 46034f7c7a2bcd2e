export { run } from './program';
export { barrier } from './barrier';
export { packF32, packF16, packQ8, packQ4 } from './pack';
