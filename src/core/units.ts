// Numbers as people read them, the same everywhere.

/** 3276800 -> `3.1 MiB`, 1610612736 -> `1.5 GiB`. */
export function mebibytes(bytes: number): string {
  const mib = bytes / 2 ** 20;
  if (mib >= 1024) return `${(mib / 1024).toFixed(1)} GiB`;
  return mib >= 10 ? `${Math.round(mib)} MiB` : `${mib.toFixed(1)} MiB`;
}

/** 40960 -> `40,960` */
export function grouped(value: number): string {
  return value.toLocaleString('en-US');
}
