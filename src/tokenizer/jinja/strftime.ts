// `strftime_now`: the directives of Python's strftime in the C locale, whatever the machine's language is.

const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = 'January February March April May June July August September October November December'.split(' ');

export function strftime(date: Date, format: string): string {
  return format.replaceAll(/%(-?)([a-zA-Z%])/g, (whole, minus: string, directive: string) => {
    const number = numbers[directive];
    if (number !== undefined) {
      const [value, width] = number(date);
      return minus === '' ? String(value).padStart(width, '0') : String(value);
    }
    return minus === '' ? (texts[directive]?.(date) ?? whole) : whole;
  });
}

const hour12 = (date: Date): number => date.getHours() % 12 || 12;
const startOfYear = (date: Date): number => Date.UTC(date.getFullYear(), 0, 1);
const dayOfYear = (date: Date): number =>
  Math.round((Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) - startOfYear(date)) / 86_400_000) + 1;

const numbers: Readonly<Record<string, ((date: Date) => readonly [value: number, width: number]) | undefined>> = {
  Y: (date) => [date.getFullYear(), 4],
  y: (date) => [date.getFullYear() % 100, 2],
  m: (date) => [date.getMonth() + 1, 2],
  d: (date) => [date.getDate(), 2],
  H: (date) => [date.getHours(), 2],
  I: (date) => [hour12(date), 2],
  M: (date) => [date.getMinutes(), 2],
  S: (date) => [date.getSeconds(), 2],
  f: (date) => [date.getMilliseconds() * 1000, 6],
  j: (date) => [dayOfYear(date), 3],
  u: (date) => [date.getDay() || 7, 1],
  w: (date) => [date.getDay(), 1],
  U: (date) => [Math.floor((dayOfYear(date) + 6 - date.getDay()) / 7), 2],
  W: (date) => [Math.floor((dayOfYear(date) + 6 - ((date.getDay() + 6) % 7)) / 7), 2],
};

const texts: Readonly<Record<string, ((date: Date) => string) | undefined>> = {
  A: (date) => days[date.getDay()],
  a: (date) => days[date.getDay()].slice(0, 3),
  B: (date) => months[date.getMonth()],
  b: (date) => months[date.getMonth()].slice(0, 3),
  h: (date) => months[date.getMonth()].slice(0, 3),
  p: (date) => (date.getHours() < 12 ? 'AM' : 'PM'),
  e: (date) => String(date.getDate()).padStart(2, ' '),
  c: (date) => strftime(date, '%a %b %e %H:%M:%S %Y'),
  D: (date) => strftime(date, '%m/%d/%y'),
  x: (date) => strftime(date, '%m/%d/%y'),
  F: (date) => strftime(date, '%Y-%m-%d'),
  T: (date) => strftime(date, '%H:%M:%S'),
  X: (date) => strftime(date, '%H:%M:%S'),
  R: (date) => strftime(date, '%H:%M'),
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  // A naive datetime has no zone.
  z: () => '',
  Z: () => '',
  n: () => '\n',
  t: () => '\t',
  '%': () => '%',
};
