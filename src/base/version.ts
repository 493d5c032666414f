/** The version of this program, as package.json has it. A test keeps them equal. */
export const version = '0.1.0';
