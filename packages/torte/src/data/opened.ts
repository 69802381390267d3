/** Rows that came out of a seal, and all that is made of them: nothing may be learnt from them. */
import { eachTensor, type Parts } from "./example.js";

const opened = new WeakSet<object>();

export const isOpened = (data: object): boolean => opened.has(data);

/** Marks what is made of these datasets or tensors, where one of them came out of a seal. */
export function madeOf<T extends object>(made: T, ...of: readonly object[]): T {
  if (of.some((one) => opened.has(one))) opened.add(made);
  return made;
}

/** An element of an opened test is one, too; its tensors are others than those that the element is made of. */
export const marked = (element: Parts, of: object): Parts =>
  isOpened(of) ? eachTensor(element, (tensor) => madeOf(tensor.reshape(tensor.shape), of)) : element;

export function markOpened<T extends object>(data: T): T {
  opened.add(data);
  return data;
}
