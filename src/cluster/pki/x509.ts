/*
 * The one door to @peculiar/x509: its container of dependencies wants the metadata of reflect-metadata to be there when
 * it is loaded. Loading both takes tens of milliseconds, so only what makes certificates comes through here.
 */
import 'reflect-metadata';

export * from '@peculiar/x509';
