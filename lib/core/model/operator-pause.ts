/** The `reason` in `freshet.control` of what a person paused. Only a person resumes it. */
export const OPERATOR_PAUSE = 'operator';
