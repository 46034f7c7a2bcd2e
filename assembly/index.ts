export { run, work } from './program';
export { barrier } from './barrier';
export { pack2, pack4, packBytes, packNibbles } from './pack';
export { packQ45K, packQ6K } from './pack-k';
