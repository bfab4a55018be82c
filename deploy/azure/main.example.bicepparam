// Copy to main.bicepparam and fill in. Secrets come from the environment, never from a file.
using './main.bicep'

param name = 'contoso-xyra'
param registryName = 'contosoxyra'
param image = readEnvironmentVariable('XYRA_IMAGE', 'xyra:1.0.0')
param firstSuperuser = 'operator@contoso.example'
param corsOrigins = 'https://billing.contoso.example'
param operatorAddresses = ['203.0.113.7']

param postgresPassword = readEnvironmentVariable('XYRA_POSTGRES_PASSWORD', '')
param jwtSecretKey = readEnvironmentVariable('XYRA_JWT_SECRET_KEY', '')
param firstSuperuserPassword = readEnvironmentVariable('XYRA_FIRST_SUPERUSER_PASSWORD', '')
