// The registry that images are pushed to. It comes first: main.bicep starts an image that is in it.
@description('Name of the registry, unique in Azure: 5 to 50 letters and digits.')
@minLength(5)
@maxLength(50)
param registryName string

param location string = resourceGroup().location

resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' = {
  name: registryName
  location: location
  sku: {
    name: 'Basic'
  }
  properties: {
    adminUserEnabled: false // identities pull and push, no password does
    anonymousPullEnabled: false
  }
}

output loginServer string = registry.properties.loginServer
