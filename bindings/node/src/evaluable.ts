/**
 * What the SDK's evaluator takes for granted of a flag or segment, and its deserialiser does not check.
 *
 * Where it is not so, the evaluator throws out of a callback. Nobody can catch that: the evaluation never ends, and
 * neither does that of all flags, unless the process ends first.
 */

/** Of a value, or of undefined for a member that is not there. */
type Check = (value: unknown) => boolean;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const optional =
  (check: Check): Check =>
  value =>
    value === undefined || check(value);

const list: Check = Array.isArray;

const listOf =
  (check: Check): Check =>
  value =>
    Array.isArray(value) && value.every(check);

const objectWith =
  (members: Readonly<Record<string, Check>>): Check =>
  value =>
    isObject(value) && Object.entries(members).every(([name, check]) => check(value[name]));

const targets = optional(listOf(objectWith({ values: list })));
const rollout = optional(objectWith({ variations: optional(listOf(isObject)) }));
const clauses = optional(listOf(objectWith({ values: list })));

const flag = objectWith({
  variations: optional(list),
  prerequisites: optional(listOf(isObject)),
  targets,
  contextTargets: targets,
  rules: optional(listOf(objectWith({ clauses, rollout }))),
  fallthrough: optional(objectWith({ rollout })),
});

const segment = objectWith({
  included: optional(list),
  excluded: optional(list),
  includedContexts: targets,
  excludedContexts: targets,
  rules: optional(listOf(objectWith({ clauses }))),
});

const NAME_VARIATIONS = ['offVariation', 'fallthrough', 'targets', 'contextTargets', 'rules'];

function namesVariations(item: Record<string, unknown>): boolean {
  return NAME_VARIATIONS.map(name => item[name]).some(value =>
    Array.isArray(value) ? value.length > 0 : value !== undefined,
  );
}

/** Whether the SDK can evaluate what its deserialiser made. */
export function isEvaluable(kind: string, item: unknown): boolean {
  if (!isObject(item)) return false;
  if (kind === 'segments') return segment(item);
  return flag(item) && (item['variations'] !== undefined || !namesVariations(item));
}
