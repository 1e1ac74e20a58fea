/** `reason` in `freshet.control` of what a person paused, and only a person resumes. */
export const OPERATOR_PAUSE = 'operator';
