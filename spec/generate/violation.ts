// Runs beside the generated validators (the generator copies it there): the first error of ajv -> one sentence for the caller.
// What would be accepted was written into the schema as `expects` when the validator was generated.

/** As in core/operation.ts. */
export interface Violation {
  readonly param: string;
  readonly message: string;
}

/** The part of ajv's `ErrorObject` that is read here. */
export interface SchemaError {
  readonly keyword: string;
  /** JSON pointer into the value. */
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly parentSchema?: Expecting | undefined;
  /** The key at fault, for errors of `propertyNames`. */
  readonly propertyName?: string | undefined;
}

interface Expecting {
  readonly expects?: string;
  readonly properties?: Readonly<Record<string, Expecting>>;
}

export function violation(error: SchemaError): Violation {
  const { keyword, instancePath, params, parentSchema, propertyName } = error;
  const param = spell(instancePath.split('/').slice(1).map(unescape));
  if (keyword === 'required') {
    const missing = String(params['missingProperty']);
    const expects = parentSchema?.properties?.[missing]?.expects;
    const full = param === '' ? missing : `${param}.${missing}`;
    return { param: full, message: `${full} is required${expects === undefined ? '' : `: ${expects}`}.` };
  }
  const subject = param === '' ? 'The request body' : param;
  const expects = parentSchema?.expects ?? 'different';
  if (propertyName !== undefined) return { param, message: `Every key of ${subject} must be ${expects}.` };
  return { param, message: `${subject} must be ${expects}.` };
}

function unescape(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

/** Keys come from the caller: longer ones are cut, so that no answer or log line grows with the request. */
const longestKey = 80;

/** `['messages', '0', 'content']` -> `messages[0].content`. An index and a key of digits look alike and are both written as index. */
function spell(steps: readonly string[]): string {
  let param = '';
  for (const step of steps) {
    if (/^\d{1,15}$/.test(step)) param += `[${step}]`;
    else if (/^[A-Za-z_$][\w$-]{0,79}$/.test(step)) param += param === '' ? step : `.${step}`;
    else param += `[${JSON.stringify(step.length > longestKey ? `${step.slice(0, longestKey)}...` : step)}]`;
  }
  return param;
}
