/**
 * The types that every framework's entry point exports.
 *
 * @module
 */
export type { TokenEndpoints } from './endpoints/endpoints.js'
export type {
  AuthorizedOptions,
  BudgetOptions,
  BudgetsOptions,
  Caller,
  EndpointAuthority,
  EndpointCall,
  EndpointName,
  EndpointsOptions,
  IntrospectionOptions,
  LeakOptions,
  LimitAnswer,
  LimitHook,
  ReadCall,
  RevocationOptions,
  RotationOptions,
} from './endpoints/options.js'
export type { LogFields } from './log-fields.js'
export type { TokenAuthority, TokenOptions } from './options.js'
export type { RefusalError } from './refusal.js'
