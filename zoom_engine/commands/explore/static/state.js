// The state of the page: an image, its edit weights and the target that is looked at; its history, and its permalink.

const SHORTEST = 1e-6;

export const sameImage = (one, other) => one.seed === other.seed && one.photograph === other.photograph;

export const sameWeights = (one, other) => one.every((weight, place) => Math.abs(weight - other[place]) < SHORTEST);

export const same = (one, other) =>
  sameImage(one.image, other.image) && one.target === other.target && sameWeights(one.weights, other.weights);

/** Return the fragment that stands for a state: weights that are 0 are left out. */
export function toFragment({image, weights, target}) {
  const parts = [image.photograph === undefined ? `seed=${image.seed}` : `photograph=${image.photograph}`];
  const moved = weights.flatMap((weight, place) => Math.abs(weight) < SHORTEST ? [] : [`${place}:${+weight.toFixed(3)}`]);
  if (moved.length) parts.push(`weights=${moved.join(",")}`);
  if (target) parts.push(`target=${target}`);
  return `#${parts.join("&")}`;
}

const whole = text => (/^\d{1,10}$/.test(text ?? "") ? Number(text) : undefined);

/** Return the state that a fragment stands for, as far as it fits `about`; all else is `start`'s. */
export function fromFragment(fragment, about, start) {
  const known = new URLSearchParams(fragment.replace(/^#/, ""));
  const state = {...start, weights: [...start.weights]};
  const seed = whole(known.get("seed")), photograph = whole(known.get("photograph"));
  if (photograph !== undefined && photograph < about.photographs.length) state.image = {photograph};
  else if (seed !== undefined && seed < 2 ** 32) state.image = {seed};
  const target = whole(known.get("target"));
  if (target !== undefined && target < about.targets.length) state.target = target;
  for (const part of (known.get("weights") ?? "").split(",")) {
    const [place, weight] = part.split(":").map(Number);
    if (Number.isInteger(place) && place >= 0 && place < state.weights.length && Number.isFinite(weight) && part) {
      state.weights[place] = Math.max(-about.bound, Math.min(about.bound, weight));
    }
  }
  return state;
}

const LONGEST = 500;

/** States that were, and those that an undo left. */
export class History {
  constructor(state) {
    this.past = [];
    this.future = [];
    this.present = state;
  }

  /** Take a new state; one that is equal is none. With `merge` it replaces the present one. */
  commit(state, merge = false) {
    if (same(state, this.present)) return false;
    if (!merge || !this.past.length) this.past.push(this.present);
    if (this.past.length > LONGEST) this.past.shift();
    this.present = {...state, weights: [...state.weights]};
    this.future = [];
    return true;
  }

  undo() {
    return this.step(this.past, this.future);
  }

  redo() {
    return this.step(this.future, this.past);
  }

  step(from, to) {
    if (!from.length) return null;
    to.push(this.present);
    this.present = from.pop();
    return this.present;
  }
}
