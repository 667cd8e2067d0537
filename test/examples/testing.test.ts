/** The Vitest file of the guide on testing, run by Vitest. */
import '../../examples/testing/orders.vitest.js'
