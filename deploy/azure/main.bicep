// Xyra on App Service for Linux with Azure Database for PostgreSQL. The database has no public address and the vault answers
// to the app's subnet alone; no password is in a setting of the app. See docs/azure.md.
targetScope = 'resourceGroup'

@description('Begins the names of all resources; unique in Azure, since the app, the database and the vault have public names.')
@minLength(3)
@maxLength(16)
param name string

param location string = resourceGroup().location

@description('Registry made by registry.bicep, in this resource group.')
param registryName string

@description('Image to run, without the registry: xyra:1.2.3. A tag that never moves.')
param image string

@description('The first superuser, created while there is none.')
param firstSuperuser string

@description('Origins of web pages that may call the API, with commas between.')
param corsOrigins string = ''

@description('Addresses that may manage the secrets of the vault, such as an office: 203.0.113.7. None: nobody but the app reads it.')
param operatorAddresses array = []

// Secrets are given once, at the first deployment. Left empty later on they stay as they are.
@secure()
param postgresPassword string = ''

@secure()
param jwtSecretKey string = ''

@secure()
param firstSuperuserPassword string = ''

@minValue(1)
@maxValue(10)
param instances int = 2

@description('Plan of the app.')
param appSku string = 'P0v3'

@description('Machine of the database, and its tier.')
param databaseSku string = 'Standard_D2ds_v5'
@allowed(['Burstable', 'GeneralPurpose', 'MemoryOptimized'])
param databaseTier string = 'GeneralPurpose'
@allowed(['Disabled', 'SameZone', 'ZoneRedundant'])
param databaseStandby string = 'Disabled'
param databaseStorageGB int = 64

@description('Two /27 are taken from it, one for the app and one for the database.')
param addressSpace string = '10.40.0.0/24'

var roles = {
  acrPull: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '7f951dda-4ed3-4680-a7ca-43fe172d538d')
  keyVaultSecretsUser: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', '4633458b-17de-408a-b874-0445c86b69e6')
}

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: '${name}-identity'
  location: location
}

resource network 'Microsoft.Network/virtualNetworks@2025-01-01' = {
  name: '${name}-network'
  location: location
  properties: {
    addressSpace: {
      addressPrefixes: [addressSpace]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(addressSpace, 27, 0)
          delegations: [
            {
              name: 'app'
              properties: {
                serviceName: 'Microsoft.Web/serverFarms'
              }
            }
          ]
          serviceEndpoints: [
            {
              service: 'Microsoft.KeyVault'
            }
          ]
        }
      }
      {
        name: 'database'
        properties: {
          addressPrefix: cidrSubnet(addressSpace, 27, 1)
          delegations: [
            {
              name: 'database'
              properties: {
                serviceName: 'Microsoft.DBforPostgreSQL/flexibleServers'
              }
            }
          ]
          networkSecurityGroup: {
            id: databaseRules.id
          }
        }
      }
    ]
  }

  resource appSubnet 'subnets' existing = {
    name: 'app'
  }

  resource databaseSubnet 'subnets' existing = {
    name: 'database'
  }
}

// Within the network too, nobody but the app reaches the database, and the database's own standby.
resource databaseRules 'Microsoft.Network/networkSecurityGroups@2025-01-01' = {
  name: '${name}-database'
  location: location
  properties: {
    securityRules: [
      {
        name: 'app'
        properties: {
          priority: 100
          direction: 'Inbound'
          access: 'Allow'
          protocol: 'Tcp'
          sourceAddressPrefix: cidrSubnet(addressSpace, 27, 0)
          sourcePortRange: '*'
          destinationAddressPrefix: cidrSubnet(addressSpace, 27, 1)
          destinationPortRanges: ['5432', '6432']
        }
      }
      {
        name: 'itself'
        properties: {
          priority: 110
          direction: 'Inbound'
          access: 'Allow'
          protocol: '*'
          sourceAddressPrefix: cidrSubnet(addressSpace, 27, 1)
          sourcePortRange: '*'
          destinationAddressPrefix: cidrSubnet(addressSpace, 27, 1)
          destinationPortRange: '*'
        }
      }
      {
        name: 'nobody'
        properties: {
          priority: 4000
          direction: 'Inbound'
          access: 'Deny'
          protocol: '*'
          sourceAddressPrefix: 'VirtualNetwork'
          sourcePortRange: '*'
          destinationAddressPrefix: '*'
          destinationPortRange: '*'
        }
      }
    ]
  }
}

resource databaseZone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: '${name}.private.postgres.database.azure.com'
  location: 'global'

  resource link 'virtualNetworkLinks' = {
    name: '${name}-network'
    location: 'global'
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: network.id
      }
    }
  }
}

resource database 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' = {
  name: '${name}-database'
  location: location
  sku: {
    name: databaseSku
    tier: databaseTier
  }
  properties: {
    version: '17'
    administratorLogin: 'xyra'
    administratorLoginPassword: empty(postgresPassword) ? null : postgresPassword
    authConfig: {
      activeDirectoryAuth: 'Disabled'
      passwordAuth: 'Enabled'
    }
    network: {
      delegatedSubnetResourceId: network::databaseSubnet.id
      privateDnsZoneArmResourceId: databaseZone.id
      publicNetworkAccess: 'Disabled'
    }
    storage: {
      storageSizeGB: databaseStorageGB
      autoGrow: 'Enabled'
    }
    backup: {
      backupRetentionDays: 14
      geoRedundantBackup: 'Disabled'
    }
    highAvailability: {
      mode: databaseStandby
    }
  }
  dependsOn: [databaseZone::link]

  resource xyra 'databases' = {
    name: 'xyra'
    properties: {
      charset: 'UTF8'
      collation: 'en_US.utf8'
    }
  }
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: '${name}-vault'
  location: location
  properties: {
    tenantId: tenant().tenantId
    sku: {
      family: 'A'
      name: 'standard'
    }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    publicNetworkAccess: 'Enabled' // for those listed here, nobody else
    networkAcls: {
      bypass: 'None'
      defaultAction: 'Deny'
      virtualNetworkRules: [
        {
          id: network::appSubnet.id
        }
      ]
      ipRules: [for address in operatorAddresses: {
        value: address
      }]
    }
  }

  resource postgres 'secrets' = if (!empty(postgresPassword)) {
    name: 'postgres-password'
    properties: {
      value: postgresPassword
    }
  }

  resource signing 'secrets' = if (!empty(jwtSecretKey)) {
    name: 'jwt-secret-key'
    properties: {
      value: jwtSecretKey
    }
  }

  resource superuser 'secrets' = if (!empty(firstSuperuserPassword)) {
    name: 'first-superuser-password'
    properties: {
      value: firstSuperuserPassword
    }
  }
}

resource readsSecrets 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, identity.id, roles.keyVaultSecretsUser)
  scope: vault
  properties: {
    roleDefinitionId: roles.keyVaultSecretsUser
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' existing = {
  name: registryName
}

resource pullsImages 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, identity.id, roles.acrPull)
  scope: registry
  properties: {
    roleDefinitionId: roles.acrPull
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
  }
}

resource logs 'Microsoft.OperationalInsights/workspaces@2025-02-01' = {
  name: '${name}-logs'
  location: location
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: 30
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: '${name}-insights'
  location: location
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: logs.id
  }
}

resource plan 'Microsoft.Web/serverfarms@2024-11-01' = {
  name: '${name}-plan'
  location: location
  kind: 'linux'
  sku: {
    name: appSku
    capacity: instances
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2024-11-01' = {
  name: '${name}-app'
  location: location
  kind: 'app,linux,container'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identity.id}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    virtualNetworkSubnetId: network::appSubnet.id
    siteConfig: {
      linuxFxVersion: 'DOCKER|${registry.properties.loginServer}/${image}'
      acrUseManagedIdentityCreds: true
      acrUserManagedIdentityID: identity.properties.clientId
      alwaysOn: true
      ftpsState: 'Disabled'
      minTlsVersion: '1.2'
      http20Enabled: true
      healthCheckPath: '/ready'
      appSettings: [
        { name: 'WEBSITES_PORT', value: '8000' }
        { name: 'WEBSITES_ENABLE_APP_SERVICE_STORAGE', value: 'false' }
        { name: 'WEBSITES_CONTAINER_STOP_TIME_LIMIT', value: '120' }
        { name: 'WEBSITE_HEALTHCHECK_MAXPINGFAILURES', value: '3' }
        { name: 'XYRA_DRAIN_DELAY', value: '10s' }
        { name: 'TRUSTED_PROXIES', value: '169.254.0.0/16' } // the front ends of App Service, as a container sees them
        { name: 'LOG_FORMAT', value: 'json' }
        { name: 'CORS_ORIGINS', value: corsOrigins }
        { name: 'FIRST_SUPERUSER', value: firstSuperuser }
        { name: 'POSTGRES_SERVER', value: database.properties.fullyQualifiedDomainName }
        { name: 'POSTGRES_USER', value: 'xyra' }
        { name: 'POSTGRES_DB', value: database::xyra.name }
        { name: 'POSTGRES_OPTIONS', value: 'sslmode=require' }
        { name: 'AZURE_KEY_VAULT_URL', value: vault.properties.vaultUri }
        { name: 'AZURE_TENANT_ID', value: tenant().tenantId }
        { name: 'AZURE_CLIENT_ID', value: identity.properties.clientId }
        { name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: insights.properties.ConnectionString }
      ]
    }
  }
  dependsOn: [readsSecrets, pullsImages, vault::postgres, vault::signing, vault::superuser]

  // Nobody deploys with a password.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: {
      allow: false
    }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: {
      allow: false
    }
  }
}

resource appLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: app
  properties: {
    workspaceId: logs.id
    logs: [
      { category: 'AppServiceConsoleLogs', enabled: true }
      { category: 'AppServicePlatformLogs', enabled: true }
    ]
  }
}

output url string = 'https://${app.properties.defaultHostName}'
output vaultName string = vault.name
output databaseHost string = database.properties.fullyQualifiedDomainName
